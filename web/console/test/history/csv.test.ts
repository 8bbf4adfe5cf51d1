import { expect, test } from "vitest";
import { cellOf, csvOf } from "../../src/history/csv.ts";
import { de } from "../../src/strings/de.ts";
import { en } from "../../src/strings/en.ts";
import { alert } from "../alarms/alert.ts";

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

const ALERT = alert({
  state: "resolved",
  vitalsWindow: [82, 79],
  conditionPresent: false,
  signal: "off",
  responsibility: "accepted",
  escalationLevel: 1,
  timestamp: "2026-01-31T12:00:00Z",
  acknowledgedBy: "nurse",
  acknowledgedByName: "Ada",
  acknowledgedAt: "2026-01-31T12:00:41Z",
  status: "false_alarm",
  note: "Sensor, loose",
  resolvedAt: "2026-01-31T12:05:00Z",
});

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
