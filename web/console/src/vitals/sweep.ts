/** PURE: where on the screen a sweep stands, what it erases, and the line that it draws. */
import type { SampleBuffer } from "./buffer.ts";

/** A millimetre of CSS, and a sweep of 25 of them in a second. */
export const PX_PER_MM = 96 / 25.4;
export const SWEEP_PX_PER_MS = (25 * PX_PER_MM) / 1000;

/** What draws: a canvas, or a test. */
export interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

/** The path of a pen that has gone so far, from the left edge of its first lap. */
export function distanceAt(time: number, pxPerMs: number): number {
  return time * pxPerMs;
}

/** Call back for each piece of the screen that the path between two distances covers: none is cut by an edge. */
export function eachPiece(from: number, to: number, width: number, piece: (x: number, width: number) => void): void {
  let at = Math.max(from, to - width);
  while (at < to) {
    const lapBegan = Math.floor(at / width) * width;
    const end = Math.min(to, lapBegan + width);
    piece(at - lapBegan, end - at);
    at = end;
  }
}

/** How values come to their places: `lag` milliseconds after they were measured, `y` from the top. */
export interface Mapping {
  lag: number;
  pxPerMs: number;
  width: number;
  y: (value: number) => number;
}

/**
 * Draw the samples from one number to before another, joined to the one before them where there is one.
 *
 * A line ends at each gap, and goes on at the left edge where it has reached the right one.
 */
export function trace(pen: Pen, buffer: SampleBuffer, from: number, to: number, mapping: Mapping): void {
  const { lag, pxPerMs, width, y } = mapping;
  let isDown = false;
  let lastLap = 0;
  let lastX = 0;
  let lastY = 0;
  for (let number = Math.max(from - 1, buffer.start); number < to; number++) {
    const value = buffer.at(number);
    if (Number.isNaN(value)) {
      isDown = false;
      continue;
    }
    const distance = distanceAt(buffer.timeOf(number) + lag, pxPerMs);
    const lap = Math.floor(distance / width);
    const x = distance - lap * width;
    const height = y(value);
    if (!isDown) {
      pen.moveTo(x, height);
    } else if (lap !== lastLap) {
      pen.lineTo(x + width, height);
      pen.moveTo(lastX - width, lastY);
      pen.lineTo(x, height);
    } else {
      pen.lineTo(x, height);
    }
    isDown = true;
    lastLap = lap;
    lastX = x;
    lastY = height;
  }
}
