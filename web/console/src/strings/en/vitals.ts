/** Curves and numbers, in English. */
export const vitals = {
  missing: "--",
  decimalPoint: ".",
  noReading: "no reading",
  noSignal: "no signal",
  noSignalOf: (curve: string) => `${curve}: no signal`,
  curve: (type: "ecg" | "pleth" | "resp_wave", lead: string | null | undefined) => {
    const name = { ecg: "ECG", pleth: "Pleth", resp_wave: "Resp" }[type];
    return lead ? `${name} ${lead}` : name;
  },
  mmPerMV: (gain: number) => `${gain} mm/mV`,
  mean: "mean",
  upperLimit: "upper limit",
  lowerLimit: "lower limit",
  /** How long ago it was measured, in milliseconds. */
  age: (age: number) => {
    const seconds = Math.round(age / 1000);
    if (seconds < 100) return `${seconds} s ago`;
    const minutes = Math.round(seconds / 60);
    return minutes < 100 ? `${minutes} min ago` : `${Math.round(minutes / 60)} h ago`;
  },
  alarmed: {
    high: "alarm of high priority",
    medium: "alarm of medium priority",
    low: "alarm of low priority",
    technical: "technical alarm",
  },
  given: (isGiven: boolean): string => (isGiven ? "yes" : "air"),
  signs: {
    heartRate: { name: "HR", unit: "/min" },
    spo2: { name: "SpO₂", unit: "%" },
    respiration: { name: "RR", unit: "/min" },
    pressure: { name: "BP", unit: "mmHg" },
    temperature: { name: "Temp", unit: "°C" },
    pulse: { name: "Pulse", unit: "/min" },
    awake: { name: "ACVPU", unit: "" },
    oxygen: { name: "O₂", unit: "L/min" },
  },
};
