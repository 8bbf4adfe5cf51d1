import { describe, expect, it } from "vitest";
import { SampleBuffer } from "../../src/vitals/buffer.ts";
import { type Gain, isCutOff, rangeOf, scaleECG, scaleShape } from "../../src/vitals/scale.ts";
import { PX_PER_MM } from "../../src/vitals/sweep.ts";

const range = (low: number, high: number) => ({ low, high });

describe("the scale of an ECG", () => {
  it.each<[string, number, number, number, Gain, number]>([
    ["has 10 mm for a millivolt where there is room", -0.3, 1.2, 100, 10, 10],
    ["has 20 where that was chosen and fits", -0.3, 0.7, 100, 20, 20],
    ["has half of what was chosen where it does not fit", -0.3, 1.2, 50, 10, 5],
    ["has half of a half", -0.3, 1.2, 60, 20, 10],
    ["has never less than 2.5, whatever artefact comes", -40, 40, 50, 10, 2.5],
  ])("%s", (_, low, high, height, chosen, gain) => {
    const scale = scaleECG(range(low, high), height, chosen);
    expect(scale.mmPerMV).toBe(gain);
    expect(scale.pxPerUnit).toBeCloseTo(gain * PX_PER_MM);
    if (gain > 2.5) expect(isCutOff(range(low, high), height, scale)).toBe(false);
  });

  it("stays where it is while the curve fits there", () => {
    const first = scaleECG(range(-0.3, 1.1), 100, 10);
    expect(scaleECG(range(-0.35, 1.2), 100, 10, first)).toEqual(first);
    const moved = scaleECG(range(0.5, 1.9), 100, 10, first);
    expect(moved.centre).toBeCloseTo(1.2);
  });
});

describe("the scale of a shape", () => {
  it("lets it fill its height", () => {
    const scale = scaleShape(range(0, 2), 100, 2);
    expect(scale.pxPerUnit * 2).toBeCloseTo(80);
    expect(isCutOff(range(0, 2), 100, scale)).toBe(false);
  });

  it("does not blow the noise of a lost pulse up to look like one", () => {
    const scale = scaleShape(range(0.5, 0.51), 100, 2);
    expect(scale.pxPerUnit * 0.01).toBeLessThan(2);
  });
});

describe("the range", () => {
  it("is that of the samples that are there", () => {
    const buffer = new SampleBuffer(10);
    buffer.put(0, 100, Float32Array.of(1, 2, -3));
    buffer.put(500, 100, Float32Array.of(9));
    expect(rangeOf(buffer, 0, 4)).toEqual(range(-3, 2));
    expect(rangeOf(buffer, 0, buffer.end)).toEqual(range(-3, 9));
    expect(rangeOf(buffer, 3, 40)).toBeUndefined();
  });
});
