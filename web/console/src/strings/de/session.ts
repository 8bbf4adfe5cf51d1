import type { Strings } from "../en.ts";

/** Signing in and out, and what this screen looks like. */
export const session: Strings["session"] = {
  title: "Anmelden",
  claim: "Überwacht Vitalwerte und alarmiert die Zuständigen, bis jemand reagiert.",
  disclaimer: "Junge Software, kein zugelassenes Medizinprodukt.",
  email: "E-Mail",
  password: "Passwort",
  showPassword: "Passwort anzeigen",
  hidePassword: "Passwort verbergen",
  signIn: "Anmelden",
  signingIn: "Anmeldung läuft …",
  signOut: "Abmelden",
  emailMissing: "Bitte die E-Mail-Adresse eingeben.",
  passwordMissing: "Bitte das Passwort eingeben.",
  badCredentials: "E-Mail-Adresse oder Passwort ist falsch.",
  accountDisabled: "Dieses Konto ist gesperrt. Die Administration kann es wieder freigeben.",
  noAnswer: "Der Server antwortet nicht. Netzwerk prüfen und erneut versuchen.",
  tooMany: (seconds) => `Zu viele Versuche auf einmal. In ${seconds} s erneut versuchen.`,
  unavailable: "Der Server kann im Moment niemanden anmelden. Bitte gleich noch einmal versuchen.",
  originNotAllowed: "Der Server nimmt von dieser Adresse keine Anmeldung an. Die Administration kann sie freigeben.",
  unexpected: (status) => `Der Server meldet Fehler ${status}. Erneut versuchen oder die Administration informieren.`,
  expired: "Die Sitzung ist abgelaufen. Nach dem Anmelden geht es an derselben Stelle weiter.",
  signedOut: "Sie sind abgemeldet.",
  asking: "Verbindung zum Server …",
  serverSilent: "Der Server antwortet nicht. Neuer Versuch läuft …",
  machineTitle: "Ein Gerätekonto",
  machine: (email) =>
    `${email} gehört zu Geräten, die Vitalwerte senden, und sieht keine Alarme. Bitte mit einem eigenen Konto anmelden.`,
  noRolesTitle: "Noch keine Rolle",
  noRoles: (email) => `${email} hat keine Rolle und sieht deshalb keine Alarme. Die Administration kann eine vergeben.`,
  demoTitle: "Dies ist die Demo",
  demo: "Alle Patienten sind erfunden. Mit einem Klick anmelden:",
  language: "Sprache",
  theme: "Darstellung",
  themes: { system: "Wie das System", light: "Hell", dark: "Dunkel" },
};

/** The roles that people hold. */
export const roles: Strings["roles"] = {
  patient: "Patient/in",
  caregiver: "Betreuung",
  doctor: "Ärztin / Arzt",
  nurse: "Pflege",
  dispatcher: "Leitstelle",
  first_responder: "Notfallteam",
  hospital: "Krankenhaus",
  admin: "Administration",
  device: "Gerät",
};
