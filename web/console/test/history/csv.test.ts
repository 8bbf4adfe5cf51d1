import type { Alert } from "@tocsin/react";
import { expect, test } from "vitest";
import { cellOf, csvOf } from "../../src/history/csv.ts";
import { de } from "../../src/strings/de.ts";
import { en } from "../../src/strings/en.ts";

test.each([
  [null, ","],
  [undefined, ","],
  [7, ",", "7"],
  [-7, ",", "-7"],
  ["plain", ",", "plain"],
  ["a,b", ",", '"a,b"'],
  ["a,b", ";", "a,b"],
  ["a;b", ";", '"a;b"'],
  ['say "no"', ",", '"say ""no"""'],
  ["two\nlines", ",", '"two\nlines"'],
  ["=HYPERLINK(1)", ",", "'=HYPERLINK(1)"],
  ["+49", ",", "'+49"],
  ["@me", ",", "'@me"],
] as [string | number | null | undefined, string, string?][])(
  "%j with %j between becomes %j",
  (value, separator, cell = "") => {
    expect(cellOf(value, separator)).toBe(cell);
  },
);

const ALERT: Alert = {
  alertId: "a1",
  patientId: "bed-3",
  tier: "critical",
  priority: "high",
  vitalType: "spo2",
  vitalsWindow: [82, 79],
  unit: "%",
  threshold: { min: 80 },
  reasons: ["spo2 below 80"],
  recipients: ["nurse"],
  condition: "spo2_low",
  kind: "physiological",
  state: "resolved",
  conditionPresent: false,
  signal: "off",
  responsibility: "accepted",
  escalationLevel: 1,
  nextEscalationAt: null,
  timestamp: "2026-01-31T12:00:00Z",
  context: null,
  source: "rules",
  acknowledgedBy: "nurse",
  acknowledgedByName: "Ada",
  acknowledgedAt: "2026-01-31T12:00:41Z",
  status: "false_alarm",
  note: "Sensor, loose",
  resolvedAt: "2026-01-31T12:05:00Z",
} as Alert;

test("an alarm is a row under the columns of the language", () => {
  const [head, row, end] = csvOf([ALERT], () => "Bed 3", en).split("\r\n");
  expect(head?.startsWith("\ufeffAlarm,Patient number,Patient,Message")).toBe(true);
  expect(row).toBe(
    "a1,bed-3,Bed 3,SpO₂ 79 < 80 %,high,Physiological,spo2_low,Ended,2026-01-31T12:00:00Z,2026-01-31T12:00:41Z,41," +
      'Ada,Nurse,false alarm,"Sensor, loose",2026-01-31T12:05:00Z,300,,,1',
  );
  expect(end).toBe("");
});

test("a German spreadsheet gets its semicolons", () => {
  const [head = ""] = csvOf([], () => "", de).split("\r\n");
  expect(head.split(";")).toHaveLength(Object.keys(de.history.csv.columns).length);
});
