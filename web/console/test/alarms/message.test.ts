import type { Priority } from "@tocsin/react";
import { describe, expect, it } from "vitest";
import { firstOf } from "../../src/alarms/first.ts";
import { messageOf, reasonsOf } from "../../src/alarms/message.ts";
import { worstFirst } from "../../src/alarms/order.ts";
import { ownerOf } from "../../src/alarms/owner.ts";
import { lookOf, symbolOf } from "../../src/alarms/priority.ts";
import { toneOf } from "../../src/alarms/sounding.ts";
import { de } from "../../src/strings/de.ts";
import { en } from "../../src/strings/en.ts";
import { alert, at, NOW } from "./alert.ts";

describe("a message", () => {
  it.each([
    ["a value below its limit", {}, "SpO₂ 79 < 80 %", "SpO₂ 79 < 80 %"],
    [
      "a value above its limit",
      { vitalType: "heart_rate", vitalsWindow: [181.26], threshold: { min: 40, max: 180 }, unit: "/min" },
      "HR 181.3 > 180 /min",
      "HF 181,3 > 180 /min",
    ],
    [
      "a temperature in the unit of the ward",
      { vitalType: "temperature", vitalsWindow: [39.4], threshold: { max: 39 }, unit: "Cel" },
      "Temp 39.4 > 39 °C",
      "Temp 39,4 > 39 °C",
    ],
    ["a sign that is not known", { vitalType: "icp_mean", unit: null }, "icp mean 79 < 80", "icp mean 79 < 80"],
    [
      "a lead that is off",
      { kind: "technical", condition: "lead_off:ecg:II", vitalType: "ecg", vitalsWindow: [], threshold: null },
      "ECG lead II off",
      "EKG-Ableitung II ab",
    ],
    [
      "a lead with a name that no id may hold",
      { kind: "technical", condition: "lead_off:ecg::4949", vitalType: "ecg", context: { lead: "I I" } },
      "ECG lead I I off",
      "EKG-Ableitung I I ab",
    ],
    [
      "a sensor without leads",
      { kind: "technical", condition: "lead_off:pleth", vitalType: "pleth", vitalsWindow: [] },
      "Pleth sensor off",
      "Pleth-Sensor ab",
    ],
    [
      "a device that is silent",
      { kind: "technical", condition: "device_silent:b61b", vitalType: "device", vitalsWindow: [] },
      "Device silent",
      "Gerät sendet nicht",
    ],
    [
      "words that every object knows",
      { condition: "constructor", vitalType: "constructor", unit: null },
      "constructor 79 < 80",
      "constructor 79 < 80",
    ],
    ["an asystole", { condition: "asystole", vitalType: "ecg", vitalsWindow: [] }, "Asystole", "Asystolie"],
    [
      "a score",
      { vitalType: "news2", vitalsWindow: [8], threshold: null, reasons: ["NEWS2 8 (spo2 3), limit total 7 or more"] },
      "NEWS2 8 (SpO₂ 3), limit total 7 or more",
      "NEWS2 8 (SpO₂ 3), limit total 7 or more",
    ],
    [
      "a value on its limit",
      { vitalsWindow: [80], reasons: ["spo2 fell by 12 within 60 s, limit 10"] },
      "SpO₂ fell by 12 within 60 s, limit 10",
      "SpO₂ fell by 12 within 60 s, limit 10",
    ],
  ] as const)("says what it is about %s", (_, changes, english, german) => {
    const told = alert(changes as Parameters<typeof alert>[0]);
    expect(messageOf(told, en)).toBe(english);
    expect(messageOf(told, de)).toBe(german);
  });

  it("falls back to the sign where there are no reasons", () => {
    expect(reasonsOf(alert({ reasons: [] }), en)).toBe("SpO₂");
  });
});

describe("what other systems write", () => {
  const said = (changes: Parameters<typeof alert>[0]) => messageOf(alert({ condition: "theirs", ...changes }), en);
  it("cannot turn the digits of a message around", () => {
    const turned = { vitalsWindow: [], reasons: ["\u202espo2 79"], vitalType: "\u202dspo2" };
    expect(said(turned)).toBe("SpO₂ 79");
    expect(said({ unit: "\u202e%" })).toBe("SpO₂ 79 < 80 %");
    expect(ownerOf({ state: "acknowledged", acknowledgedBy: "nurse", acknowledgedByName: "\u202eadA" }, en)).toBe(
      `adA (${en.roles.nurse})`,
    );
  });
  it("is never an alarm without a word", () => {
    expect(said({ vitalsWindow: [], reasons: ["\u200b\u200b", "\u2060"] })).toBe("SpO₂");
  });
  it("keeps the marks that right-to-left languages need", () => {
    expect(said({ vitalsWindow: [], reasons: ["\u2067עברית\u2069"] })).toBe("\u2067עברית\u2069");
  });
  it("is not called infinite where it is only very large", () => {
    expect(said({ vitalsWindow: [1.7e308], threshold: { max: 1 } })).toBe("SpO₂ 1.7e+308 > 1 %");
  });
  it("counts as the worst where the priority is one that is not known here", () => {
    const unknown = alert({ priority: "extreme" as Priority });
    expect(lookOf(unknown)).toBe("high");
    expect(symbolOf(unknown)).toBe("***");
    expect(toneOf([unknown], false)).toBe("high");
    expect(worstFirst([alert({ alertId: "low", priority: "low" }), unknown])[0]).toBe(unknown);
  });
});

describe("a symbol", () => {
  it.each([
    ["high", "physiological", "***", "high"],
    ["medium", "physiological", "**", "medium"],
    ["low", "advisory", "*", "low"],
    ["high", "technical", "!!!", "technical"],
    ["low", "technical", "!!!", "technical"],
  ] as const)("of priority %s and kind %s is %s", (priority, kind, symbol, look) => {
    expect(symbolOf({ priority, kind })).toBe(symbol);
    expect(lookOf({ priority, kind })).toBe(look);
  });
});

describe("an owner", () => {
  const taken = { state: "acknowledged", acknowledgedBy: "nurse" } as const;
  it("is nobody before somebody has acknowledged", () => {
    expect(ownerOf(alert(), en)).toBeNull();
  });
  it("is not taken from an earlier acknowledgement once the alarm is active again", () => {
    expect(ownerOf(alert({ acknowledgedBy: "nurse", acknowledgedByName: "Anna Berg" }), en)).toBeNull();
  });
  it("has a name and a role, and the role alone where there is no name", () => {
    expect(ownerOf({ ...taken, acknowledgedByName: "Anna Berg" }, en)).toBe(`Anna Berg (${en.roles.nurse})`);
    expect(ownerOf({ ...taken, acknowledgedByName: null }, en)).toBe(en.roles.nurse);
  });
  it("is said to come where the server has not answered yet", () => {
    expect(ownerOf({ state: "acknowledged" }, en)).toBe(en.alarms.taking);
  });
});

describe("who was first", () => {
  it("is told with their name and how long ago", () => {
    const problem = { acknowledgedBy: "doctor", acknowledgedByName: "Kim Roth", acknowledgedAt: at(-12_000) };
    expect(firstOf(problem, NOW, en)).toBe(`Kim Roth (${en.roles.doctor}) was first, 0:12 ago.`);
  });
  it("is told without a time that cannot be read", () => {
    expect(firstOf({ acknowledgedBy: "doctor" }, NOW, en)).toBe(`${en.roles.doctor} was first.`);
  });
});
