import { describe, expect, it } from "vitest";
import { innermost } from "../../src/vitals/limits.ts";
import { signsShown, written } from "../../src/vitals/signs.ts";

const ALWAYS = ["heartRate", "spo2", "respiration", "pressure", "temperature"];
const shown = (values: Record<string, number | string | boolean>) =>
  signsShown((type) => values[type]).map(({ id }) => id);

describe("the signs that are shown", () => {
  it.each<[string, Record<string, number | string | boolean>, string[]]>([
    ["have a place though nothing is known", {}, ALWAYS],
    ["leave out a pulse that is as fast as the heart", { heart_rate: 72, pulse: 75 }, ALWAYS],
    ["have a pulse that differs", { heart_rate: 72, pulse: 60 }, [...ALWAYS, "pulse"]],
    ["have the pulse where no heart rate is known", { pulse: 60 }, [...ALWAYS, "pulse"]],
    ["have what was found on rounds", { consciousness: "V", oxygen_supplement: false }, [...ALWAYS, "awake", "oxygen"]],
  ])("%s", (_, values, expected) => {
    expect(shown(values)).toEqual(expected);
  });

  it("are written with their digits, in the language", () => {
    expect(written(36.849, 1, ",")).toBe("36,8");
    expect(written(71.6, 0, ".")).toBe("72");
  });
});

describe("the innermost limits", () => {
  it("are the first that a value crosses, whatever the tier", () => {
    const limit = (vitalType: string, direction: "above" | "below", limit: number) => ({ vitalType, direction, limit });
    const bounds = innermost([
      limit("heart_rate", "above", 180),
      limit("heart_rate", "above", 120),
      limit("heart_rate", "below", 40),
      limit("heart_rate", "below", 50),
      limit("spo2", "below", 90),
    ]);
    expect(bounds.get("heart_rate")).toEqual({ low: 50, high: 120 });
    expect(bounds.get("spo2")).toEqual({ low: 90 });
    expect(bounds.get("temperature")).toBeUndefined();
  });
});
