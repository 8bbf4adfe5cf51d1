import type { VitalsFrame } from "@tocsin/react";
import { describe, expect, it } from "vitest";
import { ComingCurves } from "../../src/patient/curves.ts";

const frame = (type: string, ...leads: (string | null)[]): VitalsFrame => ({
  kind: "waveform",
  type,
  leads,
  samples: leads.map(() => new Float32Array(1)),
  sampleRate: 250,
  unit: "",
  timestamp: 0,
});
const names = (coming: ComingCurves) => coming.curves.map(({ type, lead }) => (lead ? `${type} ${lead}` : type));

describe("the curves that come", () => {
  it("are one of each kind before any has come", () => {
    expect(names(new ComingCurves())).toEqual(["ecg", "pleth", "resp_wave"]);
  });

  it("are all leads, in the order of an ECG, and told only when they change", () => {
    const coming = new ComingCurves();
    expect(coming.take(frame("pleth", null), 0)).toBe(true);
    expect(coming.take(frame("ecg", "V5", "II"), 10)).toBe(true);
    expect(coming.take(frame("ecg", "II", "V5"), 20)).toBe(false);
    expect(names(coming)).toEqual(["ecg II", "ecg V5", "pleth"]);
  });

  it("keep their place while they are missing for a while, and lose it in the end", () => {
    const coming = new ComingCurves();
    coming.take(frame("ecg", "II", "V1"), 0);
    expect(coming.take(frame("ecg", "II"), 50_000)).toBe(false);
    expect(coming.take(frame("ecg", "II"), 61_000)).toBe(true);
    expect(names(coming)).toEqual(["ecg II"]);
  });
});
