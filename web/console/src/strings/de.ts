import { admin } from "./de/admin.ts";
import { alarms } from "./de/alarms.ts";
import { app } from "./de/app.ts";
import { history } from "./de/history.ts";
import { roles, session } from "./de/session.ts";
import { ward } from "./de/ward.ts";
import type { Strings } from "./en.ts";

/** Every text of the console, in German. */
export const de: Strings = {
  language: "Deutsch",
  app,
  session,
  roles,
  alarms,
  ward,
  vitals: {
    missing: "--",
    decimalPoint: ",",
    noReading: "kein Messwert",
    noSignal: "kein Signal",
    noSignalOf: (curve: string) => `${curve}: kein Signal`,
    curve: (type, lead) => {
      const name = { ecg: "EKG", pleth: "Pleth", resp_wave: "Atmung" }[type];
      return lead ? `${name} ${lead}` : name;
    },
    mmPerMV: (gain: number) => `${String(gain).replace(".", ",")} mm/mV`,
    upperLimit: "obere Grenze",
    lowerLimit: "untere Grenze",
    age: (age: number) => {
      const seconds = Math.round(age / 1000);
      if (seconds < 100) return `vor ${seconds} s`;
      const minutes = Math.round(seconds / 60);
      return minutes < 100 ? `vor ${minutes} min` : `vor ${Math.round(minutes / 60)} h`;
    },
    alarmed: {
      high: "Alarm hoher Priorität",
      medium: "Alarm mittlerer Priorität",
      low: "Alarm niedriger Priorität",
      technical: "technischer Alarm",
    },
    given: (isGiven: boolean) => (isGiven ? "ja" : "Luft"),
    signs: {
      heartRate: { name: "HF", unit: "/min" },
      spo2: { name: "SpO₂", unit: "%" },
      respiration: { name: "AF", unit: "/min" },
      pressure: { name: "RR", unit: "mmHg" },
      temperature: { name: "Temp", unit: "°C" },
      pulse: { name: "Puls", unit: "/min" },
      awake: { name: "ACVPU", unit: "" },
      oxygen: { name: "O₂", unit: "l/min" },
    },
  },
  patient: {},
  history,
  admin,
};
