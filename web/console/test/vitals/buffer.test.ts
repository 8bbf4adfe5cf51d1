import { describe, expect, it } from "vitest";
import { SampleBuffer } from "../../src/vitals/buffer.ts";

const T0 = 1_700_000_000_000;
const HZ = 250;
const STEP = 1000 / HZ;

/** Samples that say which ones they are. */
const numbered = (from: number, count: number) => Float32Array.from({ length: count }, (_, i) => from + i);
const held = (buffer: SampleBuffer, from = buffer.start) =>
  Array.from({ length: buffer.end - from }, (_, i) => buffer.at(from + i));

/** A way to get the same chance each time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("SampleBuffer", () => {
  it("holds frames that follow each other without a seam, though their times are rounded and their clock drifts", () => {
    const random = chance(1);
    const buffer = new SampleBuffer(60);
    // 12 samples at 250 Hz are 48 ms; the device takes 0.1 % longer, and is off by up to 3 ms each time.
    for (let n = 0; n < 800; n++) {
      const placed = buffer.put(T0 + n * 48 * 1.001 + 6 * random() - 3, HZ, numbered(n * 12, 12));
      expect(placed).toEqual({ newFrom: n * 12, hasBegun: n === 0, hasJumped: n === 0 });
    }
    expect(held(buffer)).toEqual(Array.from(numbered(0, 9600)));
    expect(buffer.timeOf(9588)).toBeCloseTo(T0 + 799 * 48 * 1.001, -1);
  });

  it("keeps a gap as long as it was", () => {
    const buffer = new SampleBuffer(10);
    buffer.put(T0, HZ, numbered(0, 25));
    buffer.put(T0 + 300, HZ, numbered(75, 25));
    expect(buffer.end).toBe(100);
    expect(held(buffer).findIndex(Number.isNaN)).toBe(25);
    expect(held(buffer).filter(Number.isNaN)).toHaveLength(50);
    expect(buffer.at(75)).toBe(75);
    expect(buffer.timeOf(75)).toBeCloseTo(T0 + 300);
  });

  it("puts a late frame where it belongs", () => {
    const buffer = new SampleBuffer(10);
    buffer.put(T0, HZ, numbered(0, 25));
    buffer.put(T0 + 200, HZ, numbered(50, 25));
    expect(buffer.put(T0 + 100, HZ, numbered(25, 25)).newFrom).toBe(25);
    expect(held(buffer)).toEqual(Array.from(numbered(0, 75)));
  });

  it("holds a frame that is repeated once, and of one that overlaps only what is new", () => {
    const buffer = new SampleBuffer(10);
    buffer.put(T0, HZ, numbered(0, 50));
    expect(buffer.put(T0, HZ, numbered(0, 50)).newFrom).toBe(50);
    expect(buffer.put(T0 + 100, HZ, numbered(25, 50)).newFrom).toBe(50);
    expect(held(buffer)).toEqual(Array.from(numbered(0, 75)));
  });

  it.each([
    ["set back by an hour", -3_600_000],
    ["set back by three seconds", -3_000],
    ["put forward by an hour", 3_600_000],
  ])("begins again when the clock is %s", (_, jump) => {
    const buffer = new SampleBuffer(10);
    buffer.put(T0, HZ, numbered(0, 50));
    expect(buffer.put(T0 + 200 + jump, HZ, numbered(7, 50))).toEqual({ newFrom: 0, hasBegun: true, hasJumped: true });
    expect(held(buffer)).toEqual(Array.from(numbered(7, 50)));
    expect(buffer.timeOf(0)).toBe(T0 + 200 + jump);
  });

  it("goes on at another rate in the same time", () => {
    const buffer = new SampleBuffer(10);
    buffer.put(T0, HZ, numbered(0, 50));
    expect(buffer.put(T0 + 200, 500, numbered(0, 50))).toEqual({ newFrom: 0, hasBegun: true, hasJumped: false });
    expect(buffer.rateHz).toBe(500);
    expect(buffer.timeOf(10)).toBe(T0 + 220);
  });

  it("forgets the oldest, however long the frames are", () => {
    const buffer = new SampleBuffer(1);
    for (let n = 0; n < 100; n++) buffer.put(T0 + n * 28 * STEP, HZ, numbered(n * 28, 28));
    expect(held(buffer)).toEqual(Array.from(numbered(2800 - 250, 250)));
    expect(buffer.at(2549)).toBeNaN();
    buffer.put(T0 + 2800 * STEP, HZ, numbered(2800, 900));
    expect(held(buffer)).toEqual(Array.from(numbered(3700 - 250, 250)));
  });

  it("has the same samples, whatever the order in which the frames of a second come", () => {
    const random = chance(7);
    for (let round = 0; round < 50; round++) {
      const buffer = new SampleBuffer(10);
      const frames = Array.from({ length: 20 }, (_, n) => n).sort((a, b) => a - b + 6 * random() - 3);
      buffer.put(T0 - 100, HZ, numbered(0, 25));
      for (const n of frames) buffer.put(T0 + n * 100, HZ, numbered(25 + n * 25, 25));
      expect(held(buffer)).toEqual(Array.from(numbered(0, 525)));
    }
  });

  it.each([0, 0.4, 1.7, 3.999, 4, 396])("finds the first sample that is not before a time, %f ms in", (ms) => {
    const buffer = new SampleBuffer(10);
    buffer.put(T0, HZ, numbered(0, 100));
    const number = buffer.numberAt(T0 + ms);
    expect(buffer.timeOf(number)).toBeGreaterThanOrEqual(T0 + ms - 1e-3);
    if (number > 0) expect(buffer.timeOf(number - 1)).toBeLessThan(T0 + ms);
  });
});
