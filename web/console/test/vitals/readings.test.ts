import type { Numeric, Numerics } from "@tocsin/react";
import { expect, test } from "vitest";
import { areSame, foremostAbout, NONE, readingsOf, Sightings } from "../../src/vitals/readings.ts";
import { alert } from "../alarms/alert.ts";

const MINUTE = 60_000;

function numerics(...readings: [type: string, value: number, timestamp: number][]): Numerics {
  return new Map(
    readings.map(([type, value, timestamp]) => [type, { kind: "numeric", type, value, timestamp } as Numeric]),
  );
}

test("what nothing has happened to is the same from second to second, and what gets old is not", () => {
  const sightings = new Sightings();
  const at = (now: number) => readingsOf(numbers, sightings, now);
  const numbers = numerics(["spo2", 97, 0], ["systolic_bp", 120, 0]);
  expect(areSame(at(1_000), at(4_000))).toBe(true);
  expect(areSame(at(4_000), at(7_000))).toBe(false);
  expect(areSame(at(7_000), at(8_000))).toBe(false);
  expect(at(7_000).get("spo2")).toEqual({ value: 97, age: 7_000 });
  expect(at(MINUTE).get("spo2")).toEqual({ value: undefined, age: undefined });
  expect(at(MINUTE).get("systolic_bp")).toEqual({ value: 120, age: undefined });
});

test("another value, one more and one less are something else to show", () => {
  const sightings = new Sightings();
  const one = readingsOf(numerics(["spo2", 97, 0]), sightings, 0);
  expect(areSame(one, readingsOf(numerics(["spo2", 96, 0]), sightings, 0))).toBe(false);
  expect(areSame(one, readingsOf(numerics(["spo2", 97, 0], ["pulse", 70, 0]), sightings, 0))).toBe(false);
  expect(areSame(one, readingsOf(numerics(["pulse", 97, 0]), sightings, 0))).toBe(false);
  expect(areSame(one, NONE)).toBe(false);
  expect(areSame(NONE, NONE)).toBe(true);
});

test("a number is framed by the alarm about it that nobody has taken on, as its tile is", () => {
  const alerts = [
    alert({ alertId: "taken", priority: "high", state: "acknowledged" }),
    alert({ alertId: "other", priority: "high", vitalType: "heart_rate" }),
    alert({ alertId: "elsewhere", priority: "high", patientId: "bed-9" }),
    alert({ alertId: "untaken", priority: "medium" }),
  ];
  const { patientId, vitalType } = alert({});
  expect(foremostAbout(alerts, patientId, [vitalType])?.alertId).toBe("untaken");
  expect(foremostAbout(alerts, patientId, ["temperature"])).toBeUndefined();
});
