/** PURE: which numbers of a patient are shown, in which order, and how they are written. */
import type { Measured } from "./freshness.ts";

/** The colour that a number shares with its curve. */
export type Hue = "ecg" | "pleth" | "resp" | "pressure" | "temperature" | "plain";

/** One place among the numbers. Pressure has three of them: systolic, diastolic and mean. */
export interface Sign {
  id: SignId;
  /** As the API calls them; the first decides how old the others may be. */
  types: readonly string[];
  hue: Hue;
  measured: Measured;
  digits: number;
}

export type SignId = "heartRate" | "spo2" | "respiration" | "pressure" | "temperature" | "pulse" | "awake" | "oxygen";

export const SIGNS: readonly Sign[] = [
  sign("heartRate", ["heart_rate"], "ecg", "continuously"),
  sign("spo2", ["spo2"], "pleth", "continuously"),
  sign("respiration", ["respiratory_rate"], "resp", "continuously"),
  sign("pressure", ["systolic_bp", "diastolic_bp", "mean_bp"], "pressure", "occasionally"),
  { ...sign("temperature", ["temperature"], "temperature", "occasionally"), digits: 1 },
  sign("pulse", ["pulse"], "pleth", "continuously"),
  sign("awake", ["consciousness"], "plain", "on rounds"),
  sign("oxygen", ["oxygen_supplement"], "plain", "on rounds"),
];

/** Signs that are only shown where there is something to say about them. */
const ONLY_IF_KNOWN: ReadonlySet<SignId> = new Set(["awake", "oxygen"]);

/** A pulse that is as fast as the heart is no news; monitors differ by a few beats. */
const PULSE_DIFFERS_BY = 5;

/** The signs that have a place, given the newest values by their types. */
export function signsShown(value: (type: string) => number | string | boolean | undefined): Sign[] {
  return SIGNS.filter(({ id, types }) => {
    const known = types.some((type) => value(type) !== undefined);
    if (ONLY_IF_KNOWN.has(id)) return known;
    if (id !== "pulse") return true;
    const [heart, pulse] = [value("heart_rate"), value("pulse")];
    return known && !(typeof heart === "number" && Math.abs(heart - Number(pulse)) <= PULSE_DIFFERS_BY);
  });
}

/** A value as it is written: with its digits, and the decimal point of the language. */
export function written(value: number, digits: number, decimalPoint: string): string {
  return value.toFixed(digits).replace(".", decimalPoint);
}

function sign(id: SignId, types: string[], hue: Hue, measured: Measured): Sign {
  return { id, types, hue, measured, digits: 0 };
}
