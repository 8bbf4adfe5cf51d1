import { describe, expect, it } from "vitest";
import { type Measured, standing } from "../../src/vitals/freshness.ts";

const NOW = 1_700_000_000_000;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe("a number", () => {
  it.each<[Measured, number, "fresh" | "old" | "missing"]>([
    ["continuously", 0, "fresh"],
    ["continuously", 5 * SECOND, "fresh"],
    ["continuously", 5 * SECOND + 1, "old"],
    ["continuously", 30 * SECOND, "old"],
    ["continuously", 30 * SECOND + 1, "missing"],
    ["occasionally", 90 * SECOND, "fresh"],
    ["occasionally", 91 * SECOND, "old"],
    ["occasionally", 10 * MINUTE, "old"],
    ["occasionally", 10 * MINUTE + 1, "missing"],
    ["on rounds", 11 * HOUR, "old"],
    ["on rounds", 13 * HOUR, "missing"],
  ])("that is measured %s and is %d ms old is %s", (measured, age, kind) => {
    expect(standing(measured, NOW - age, NOW - age, NOW)).toEqual(kind === "old" ? { kind, age } : { kind });
  });

  it("of a clock that is ahead gets old all the same, from when it was seen", () => {
    const ahead = NOW + 50 * SECOND;
    expect(standing("continuously", ahead, NOW, NOW + 4 * SECOND).kind).toBe("fresh");
    expect(standing("continuously", ahead, NOW, NOW + 10 * SECOND).kind).toBe("old");
    expect(standing("continuously", ahead, NOW, NOW + 31 * SECOND).kind).toBe("missing");
  });

  it("whose time cannot be read is missing", () => {
    expect(standing("continuously", Number.NaN, NOW, NOW).kind).toBe("missing");
  });
});
