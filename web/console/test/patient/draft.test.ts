import { describe, expect, it } from "vitest";
import { differences } from "../../src/patient/limits/changes.ts";
import {
  bodyOf,
  draftOf,
  errorsOf,
  hasChanges,
  keyOf,
  type LimitInForce,
  readLimit,
  refusalsOf,
} from "../../src/patient/limits/draft.ts";
import { inOrder } from "../../src/patient/limits/order.ts";
import type { PatientLimits } from "../../src/vitals/useLimits.ts";

const limit = (condition: string, tier: LimitInForce["tier"], value: number, more: Partial<LimitInForce> = {}) =>
  ({
    condition,
    tier,
    limit: value,
    default: value,
    vitalType: "spo2",
    unit: "%",
    direction: "below",
    source: "rules",
    setBy: null,
    setAt: null,
    ...more,
  }) satisfies LimitInForce;

const LIMITS: PatientLimits = {
  patientId: "bed-3",
  unit: null,
  version: 7,
  spo2Scale: 1,
  spo2ScaleSetAt: null,
  spo2ScaleSetBy: null,
  ignored: [],
  limits: [
    limit("spo2_low", "moderate", 88, { source: "patient", default: 90 }),
    limit("spo2_low", "critical", 80),
    limit("temperature_high", "slight", 38.5, { vitalType: "temperature", direction: "above" }),
  ],
};
const TEXTS = { notANumber: "number", reasonMissing: "why" };

describe("a draft of limits", () => {
  it("begins with the patient's own limits alone, written as the language does", () => {
    expect(draftOf(LIMITS, ",").limits).toEqual({ "spo2_low moderate": "88" });
    expect(hasChanges(draftOf(LIMITS, ","), LIMITS)).toBe(false);
  });

  it("is sent with what is written in it, and the version that it is based on", () => {
    const limits = { "spo2_low moderate": "", "temperature_high slight": "38,2" };
    const draft = { limits, spo2Scale: 2, reason: " COPD " };
    expect(bodyOf(draft, LIMITS)).toEqual({
      limits: [{ condition: "temperature_high", tier: "slight", limit: 38.2 }],
      spo2Scale: 2,
      reason: "COPD",
      version: 7,
    });
    expect(hasChanges(draft, LIMITS)).toBe(true);
  });

  it.each([
    ["88", 88],
    [" 38,5 ", 38.5],
    ["38.5", 38.5],
    ["-3", undefined],
    ["1e3", undefined],
    ["abc", undefined],
    ["", undefined],
  ])("reads %j as %s", (text, value) => {
    expect(readLimit(text)).toBe(value);
  });

  it("says what is wrong with it before the server is asked", () => {
    const draft = { ...draftOf(LIMITS, "."), limits: { "spo2_low moderate": "high" } };
    expect(errorsOf(draft, TEXTS)).toEqual({ "spo2_low moderate": "number", reason: "why" });
  });

  it("has the server's objections at their fields", () => {
    const sent = bodyOf({ ...draftOf(LIMITS, "."), reason: "x" }, LIMITS);
    const errors = [
      { field: "limits[0].limit", message: "too low" },
      { field: "reason", message: "say why" },
      { field: "limits", message: "crossed" },
    ];
    expect(refusalsOf({ errors }, sent)).toEqual({
      "spo2_low moderate": "too low",
      reason: "say why",
      form: "crossed",
    });
    expect(refusalsOf({ detail: "not allowed" }, sent)).toEqual({ form: "not allowed" });
  });
});

describe("limits in order", () => {
  it("are sign by sign, from the highest to the lowest", () => {
    expect(inOrder(LIMITS.limits).map(keyOf)).toEqual([
      "spo2_low moderate",
      "spo2_low critical",
      "temperature_high slight",
    ]);
  });
});

describe("a change of limits", () => {
  it("tells only what has become different", () => {
    const set = (condition: string, value: number) => ({ condition, tier: "moderate", limit: value });
    const before = { spo2Scale: 1, unit: null, limits: [set("a", 1), set("b", 2), set("c", 3)] };
    const after = { spo2Scale: 1, unit: null, limits: [set("b", 2), set("c", 4), set("d", 5)] };
    expect(differences({ before, after })).toEqual([
      { condition: "a", tier: "moderate", before: 1, after: undefined },
      { condition: "c", tier: "moderate", before: 3, after: 4 },
      { condition: "d", tier: "moderate", before: undefined, after: 5 },
    ]);
  });
});
