import { describe, expect, it } from "vitest";
import { burstOf, lengthOf } from "../../src/alarms/sound-pattern.ts";
import {
  goOn,
  LONGEST_PAUSE_MS,
  loudest,
  pauseFrom,
  REMIND_AFTER_MS,
  reminderOf,
  type Tone,
  toneOf,
} from "../../src/alarms/sounding.ts";
import { alert, at, NOW } from "./alert.ts";

const medium = alert({ priority: "medium" });
const low = alert({ priority: "low" });
const taken = alert({ state: "acknowledged", signal: "acknowledged", acknowledgedAt: at(0) });

describe("the tone", () => {
  it.each([
    ["nothing", [], null],
    ["an alarm", [low], "low"],
    ["several: the worst alone", [low, alert(), medium], "high"],
    ["a technical one", [alert({ kind: "technical", priority: "medium" })], "medium"],
    ["a latched one", [alert({ signal: "latched", conditionPresent: false })], "high"],
    ["one that somebody has taken on", [taken], null],
    ["a worse one that was taken on, beside another", [taken, low], "low"],
    ["advice", [alert({ kind: "advisory" })], null],
    ["one that is off", [alert({ signal: "off" })], null],
  ])("of %s", (_, alerts, expected) => {
    expect(toneOf(alerts, false)).toBe(expected);
  });
  it("of a lost connection is its own, whatever else is known", () => {
    expect(toneOf([], true)).toBe("lost");
    expect(toneOf([alert()], true)).toBe("lost");
  });
});

describe("a reminder", () => {
  it.each([
    ["before it is time", taken, REMIND_AFTER_MS - 1, null],
    ["when it is time", taken, REMIND_AFTER_MS, "high"],
    ["once, and not without end", taken, REMIND_AFTER_MS + 10_000, null],
    ["again after as long", taken, 2 * REMIND_AFTER_MS, "high"],
    ["not of what has ended", { ...taken, conditionPresent: false }, REMIND_AFTER_MS, null],
    ["not of what somebody has found to be false", { ...taken, status: "false_alarm" as const }, REMIND_AFTER_MS, null],
    ["not of what nobody has taken on: that sounds anyway", alert(), REMIND_AFTER_MS, null],
    ["not before the server has said when it was taken on", alert({ state: "acknowledged" }), REMIND_AFTER_MS, null],
  ])("comes %s", (_, it, after, expected) => {
    expect(reminderOf([it], NOW + after)).toBe(expected);
  });
  it("lies between two and three minutes after", () => {
    expect(REMIND_AFTER_MS).toBeGreaterThanOrEqual(120_000);
    expect(REMIND_AFTER_MS).toBeLessThanOrEqual(180_000);
  });
});

describe("a pause", () => {
  it.each<[Tone | null, Tone | null, boolean]>([
    ["medium", "medium", true],
    ["medium", "low", true],
    ["medium", null, true],
    ["medium", "high", false],
    ["high", "high", true],
    ["high", "lost", false],
    ["lost", "high", true],
    [null, "low", false],
    [null, null, true],
  ])("begun with %s and then %s goes on: %s", (before, then, goes) => {
    const pause = pauseFrom(NOW, before);
    expect(goOn(pause, then, NOW + 1)).toBe(goes ? pause : null);
  });
  it("is over after two minutes at most", () => {
    const pause = pauseFrom(NOW, "high");
    expect(LONGEST_PAUSE_MS).toBeLessThanOrEqual(120_000);
    expect(goOn(pause, "high", NOW + LONGEST_PAUSE_MS - 1)).toBe(pause);
    expect(goOn(pause, "high", NOW + LONGEST_PAUSE_MS)).toBeNull();
  });
});

it("is the worse of two tones that is heard", () => {
  expect(loudest("low", "high")).toBe("high");
  expect(loudest("lost", "high")).toBe("lost");
  expect(loudest(null, "low")).toBe("low");
  expect(loudest(null, null)).toBeNull();
});

describe("a burst", () => {
  it.each<[Tone, number[], [number, number]]>([
    ["high", [3, 2, 3, 2], [0.075, 0.2]],
    ["medium", [3], [0.125, 0.25]],
    ["low", [1], [0.125, 0.25]],
    ["lost", [3, 2, 3, 2], [0.075, 0.2]],
  ])("of %s has its pulses in groups, each as long as the standard says", (tone, groups, [shortest, longest]) => {
    const { pulses, pauseSeconds } = burstOf(tone);
    const found: number[] = [];
    pulses.forEach((pulse, index) => {
      const before = pulses[index - 1];
      const gap = before ? pulse.at - before.at - before.seconds : Number.POSITIVE_INFINITY;
      if (gap > 0.25 + 1e-9) found.push(1);
      else found[found.length - 1] = (found.at(-1) ?? 0) + 1;
      expect(pulse.seconds).toBeGreaterThanOrEqual(shortest);
      expect(pulse.seconds).toBeLessThanOrEqual(longest);
      expect(pulse.hertz).toBeGreaterThanOrEqual(150);
      expect(pulse.hertz).toBeLessThanOrEqual(1000);
    });
    expect(found).toEqual(groups);
    expect(pauseSeconds).toBeGreaterThanOrEqual(2.5);
  });
  it("of a reminder is over before its time is", () => {
    for (const tone of ["high", "medium", "low"] as const) {
      const burst = burstOf(tone);
      // It is heard once: it ends in time, and the next would come too late.
      expect(lengthOf(burst)).toBeLessThan(6);
      expect(lengthOf(burst) + burst.pauseSeconds).toBeGreaterThan(6);
    }
  });
});
