import type { Strings } from "../en.ts";

/** The ward view, in German. */
export const ward: Strings["ward"] = {
  heading: "Station",
  patients: (count: number) => (count === 1 ? "1 Patient" : `${count} Patienten`),
  unit: "Station",
  everyUnit: "Alle Stationen",
  noUnit: "Ohne Station",
  loading: "Die Patienten werden geladen …",
  failed: "Die Patienten konnten nicht geladen werden.",
  tryAgain: "Erneut versuchen",
  none: "Es gibt keine Patienten, die Sie sehen dürfen.",
  noneHint: "Sie sehen Patienten, sobald die Verwaltung Sie ihrem Team zugeordnet hat.",
  noneInUnit: "Auf dieser Station liegt niemand.",
  noAlarms: "Keine Alarme",
  unknownAlarms: "Alarme: --",
};
