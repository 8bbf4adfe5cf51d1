/** PURE: which signs are drawn together, and what each chart shows at least. */
import type { SignId } from "../../vitals/signs.ts";

export interface ChartSpec {
  id: SignId;
  /** The first gives the chart its limits; the last is drawn as the thickest line. */
  types: readonly string[];
  /** The name of the colour that it has. */
  colour: string;
  digits: number;
  /** Shown even if nothing was measured there, so that calm looks calm. */
  least: [number, number];
  /** For how long a reading holds: what lies farther apart is not joined. */
  validMs: number;
}

const HALF_MINUTE = 30_000;
const TEN_MINUTES = 600_000;

export const CHARTS: readonly ChartSpec[] = [
  chart("heartRate", ["heart_rate"], "--ecg", [40, 130], HALF_MINUTE),
  chart("spo2", ["spo2"], "--pleth", [85, 100], HALF_MINUTE),
  chart("respiration", ["respiratory_rate"], "--resp", [5, 30], HALF_MINUTE),
  chart("pressure", ["systolic_bp", "diastolic_bp", "mean_bp"], "--pressure", [50, 170], TEN_MINUTES),
  { ...chart("temperature", ["temperature"], "--temperature", [35, 39], TEN_MINUTES), digits: 1 },
];

export const TYPES: readonly string[] = CHARTS.flatMap(({ types }) => types);

/** The chart on which an alert about a sign is marked; what is about the ECG is about the heart. */
export function chartOf(vitalType: string): SignId | undefined {
  if (vitalType === "ecg" || vitalType === "pulse") return "heartRate";
  if (vitalType === "pleth") return "spo2";
  if (vitalType === "resp_wave") return "respiration";
  return CHARTS.find(({ types }) => types.includes(vitalType))?.id;
}

function chart(
  id: SignId,
  types: readonly string[],
  colour: string,
  least: [number, number],
  validMs: number,
): ChartSpec {
  return { id, types, colour, least, validMs, digits: 0 };
}
