/** PURE: how high a curve is drawn. */
import type { SampleBuffer } from "./buffer.ts";
import { PX_PER_MM } from "./sweep.ts";

/** How a value becomes a height: `centre` is drawn in the middle. */
export interface Scale {
  pxPerUnit: number;
  centre: number;
  /** Of an ECG, how many millimetres stand for a millivolt. */
  mmPerMV?: number;
}

export interface Range {
  low: number;
  high: number;
}

/** Millimetres for a millivolt that can be chosen. */
export const GAINS = [5, 10, 20] as const;
export type Gain = (typeof GAINS)[number];

/** An ECG that does not fit is drawn half as high, but never lower than this. */
const LEAST_GAIN = 2.5;

/** So much of the height a curve may fill, and so much one that has no scale fills. */
const FILLS_PART = 0.96;
const SHAPE_PART = 0.8;

/** So far from the middle, in parts of the height, an ECG may lie before it is moved there. */
const OFF_CENTRE_PART = 0.12;

/** However low a pulse gets, it is drawn so much lower than the highest: noise must not look like a pulse. */
const LEAST_SPAN_PART = 0.25;

/** The lowest and the highest of the samples from one number to before another; none where there is none. */
export function rangeOf(buffer: SampleBuffer, from: number, to: number): Range | undefined {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let number = Math.max(from, buffer.start); number < to; number++) {
    const value = buffer.at(number);
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high } : undefined;
}

/**
 * The scale of an ECG: what was chosen, or half of it, and half again, until it fits.
 *
 * It stays where it is as long as the curve fits there, so that a baseline on the screen means a baseline.
 */
export function scaleECG(range: Range, height: number, chosen: Gain, before?: Scale): Scale {
  const span = range.high - range.low;
  let gain: number = chosen;
  while (gain > LEAST_GAIN && span * gain * PX_PER_MM > height * FILLS_PART) gain /= 2;
  const pxPerUnit = gain * PX_PER_MM;
  const middle = (range.low + range.high) / 2;
  const spare = (height * FILLS_PART - span * pxPerUnit) / 2;
  const isPlaced =
    before?.pxPerUnit === pxPerUnit &&
    Math.abs(middle - before.centre) * pxPerUnit <= Math.min(OFF_CENTRE_PART * height, spare);
  return { pxPerUnit, centre: before && isPlaced ? before.centre : middle, mmPerMV: gain };
}

/** The scale of a curve that has a shape and no unit: it fills its height. `widest` is its largest span so far. */
export function scaleShape(range: Range, height: number, widest: number): Scale {
  const span = Math.max(range.high - range.low, LEAST_SPAN_PART * widest, Number.EPSILON);
  return { pxPerUnit: (height * SHAPE_PART) / span, centre: (range.low + range.high) / 2 };
}

/** Whether the range is cut off at this scale. */
export function isCutOff(range: Range, height: number, { pxPerUnit, centre }: Scale): boolean {
  return Math.max(range.high - centre, centre - range.low) * pxPerUnit > height / 2;
}
