import type { AlertEvent } from "@tocsin/react";
import { describe, expect, it } from "vitest";
import { stepsOf } from "../../src/patient/timeline/story.ts";
import { asksAgainIn } from "../../src/patient/timeline/strip-state.ts";

const event = (name: AlertEvent["event"], more: Partial<AlertEvent> = {}) =>
  ({
    event: name,
    occurredAt: "2026-01-02T03:04:05Z",
    recipients: ["nurse"],
    priority: "medium",
    conditionPresent: true,
    escalationLevel: 0,
    ...more,
  }) as AlertEvent;

describe("the story of an alert", () => {
  it("tells of each step who was told that was not told before", () => {
    const steps = stepsOf([
      event("alert", { recipients: ["patient", "nurse"] }),
      event("alert_escalated", { recipients: ["patient", "nurse", "doctor"], escalationLevel: 1 }),
    ]);
    expect(steps).toMatchObject([
      { kind: "raised", told: ["patient", "nurse"] },
      { kind: "escalated", level: 1, told: ["doctor"] },
    ]);
  });

  it("tells what got worse, and what is over", () => {
    const steps = stepsOf([
      event("alert"),
      event("alert_updated", { priority: "high" }),
      event("alert_updated", { priority: "high", conditionPresent: false }),
    ]);
    expect(steps.slice(1)).toMatchObject([
      { isWorse: true, isOver: false },
      { isWorse: false, isOver: true },
    ]);
  });

  it("tells who answered what, and who closed it, if anybody did", () => {
    const steps = stepsOf([
      event("alert_acknowledged", { acknowledgedBy: "nurse", acknowledgedByName: "Ada", note: "On my way" }),
      event("alert_resolved"),
      event("alert_resolved", { resolvedBy: "doctor", resolvedByName: "Bo" }),
    ]);
    expect(steps).toMatchObject([
      { by: { name: "Ada", role: "nurse" }, status: "acknowledged", note: "On my way" },
      { kind: "resolved", by: null },
      { kind: "resolved", by: { name: "Bo", role: "doctor" } },
    ]);
  });
});

describe("a strip", () => {
  it("is asked for again once it is whole, and not after that", () => {
    expect(asksAgainIn(10_000, 12_000)).toBe(6_000);
    expect(asksAgainIn(10_000, 18_000)).toBeUndefined();
  });
});
