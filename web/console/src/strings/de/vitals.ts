import type { Strings } from "../en.ts";

/** Curves and numbers, in German. */
export const vitals: Strings["vitals"] = {
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
  mean: "Mitteldruck",
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
};
