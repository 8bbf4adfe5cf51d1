import { describe, expect, it } from "vitest";
import { newsOf } from "../../src/alarms/news.ts";
import { fitting, foremost, worstFirst } from "../../src/alarms/order.ts";
import { countdown, span } from "../../src/alarms/span.ts";
import { byPatient } from "../../src/ward/by-patient.ts";
import { alert, at, NOW } from "./alert.ts";

const high = alert({ alertId: "high", timestamp: at(-60_000) });
const highNewer = alert({ alertId: "high newer", timestamp: at(-10_000) });
const medium = alert({ alertId: "medium", priority: "medium" });
const technical = alert({ alertId: "technical", priority: "medium", kind: "technical", timestamp: at(-1000) });
const low = alert({ alertId: "low", priority: "low", patientId: "bed-1" });
const ids = (alerts: { alertId: string }[]) => alerts.map(({ alertId }) => alertId);

describe("the order", () => {
  it("is worst first, then newest, and a technical alarm stands by its priority", () => {
    expect(ids(worstFirst([low, technical, high, medium, highNewer]))).toEqual([
      "high newer",
      "high",
      "medium",
      "technical",
      "low",
    ]);
  });
  it("stays as it is when an alarm is taken on, so that nothing moves under a hand", () => {
    const taken = { ...highNewer, state: "acknowledged" as const };
    expect(ids(worstFirst([taken, medium, high]))).toEqual(["high newer", "high", "medium"]);
  });
  it("is the same on every screen for alarms of one moment", () => {
    const [one, other] = [alert({ alertId: "x" }), alert({ alertId: "y" })];
    expect(ids(worstFirst([one, other]))).toEqual(ids(worstFirst([other, one])));
  });
  it("puts first what nobody has taken on, where there is room for one alone", () => {
    const taken = { ...high, state: "acknowledged" as const };
    expect(foremost([taken, medium])?.alertId).toBe("medium");
    expect(foremost([taken])?.alertId).toBe("high");
    expect(foremost([])).toBeUndefined();
  });
  it("holds among the alarms of each patient", () => {
    const of = byPatient([low, medium, high]);
    expect(ids(of.get("bed-3") ?? [])).toEqual(["high", "medium"]);
    expect(ids(of.get("bed-1") ?? [])).toEqual(["low"]);
  });
});

describe("news", () => {
  const map = (...alerts: ReturnType<typeof alert>[]) => new Map(alerts.map((it) => [it.alertId, it]));
  it("are alarms that were not there, and alarms that got worse", () => {
    expect(ids(newsOf(map(low), map(low, high)))).toEqual(["high"]);
    expect(ids(newsOf(map(low), map({ ...low, priority: "medium" })))).toEqual(["low"]);
  });
  it("are not alarms that stay, get milder, are taken on, or were taken on before they were seen here", () => {
    const taken = { ...high, state: "acknowledged" as const };
    expect(newsOf(map(high), map(high))).toEqual([]);
    expect(newsOf(map(high), map({ ...high, priority: "medium" }))).toEqual([]);
    expect(newsOf(map(high), map(taken))).toEqual([]);
    expect(newsOf(map(), map(taken))).toEqual([]);
  });
});

describe("where there is room for some of the alarms", () => {
  const taken = { ...high, state: "acknowledged" as const };
  const takenNewer = { ...highNewer, state: "acknowledged" as const };

  it.each([
    [[low, high, medium], 2, ["high", "medium"]],
    [[low, taken, takenNewer, medium], 3, ["high newer", "high", "medium"]],
    [[low, taken, takenNewer], 2, ["high newer", "low"]],
    [[taken, medium], 1, ["medium"]],
    [[taken, takenNewer], 1, ["high newer"]],
    [[], 1, []],
  ])("the worst are there, and that which nobody has taken on (case %#)", (alerts, room, expected) => {
    expect(fitting(alerts, room).map(({ alertId }) => alertId)).toEqual(expected);
  });
});

describe("a span", () => {
  it.each([
    [-5, "0:00"],
    [999, "0:00"],
    [42_000, "0:42"],
    [725_000, "12:05"],
    [3_725_000, "1:02:05"],
    [86_399_000, "23:59:59"],
    [97_200_000, "1 d 3 h"],
  ])("of %i ms is %s", (milliseconds, text) => {
    expect(span(milliseconds)).toBe(text);
  });
});

describe("a countdown", () => {
  it.each([
    [41_500, { late: false, span: "0:42" }],
    [0, { late: false, span: "0:00" }],
    [-999, { late: false, span: "0:00" }],
    [-1000, { late: true, span: "0:01" }],
    [-65_000, { late: true, span: "1:05" }],
  ])("%i ms before it is due says %o", (left, expected) => {
    expect(countdown(at(left), NOW)).toEqual(expected);
  });
  it("is none where nobody else will be told", () => {
    expect(countdown(null, NOW)).toBeNull();
  });
});
