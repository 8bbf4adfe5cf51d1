/** PURE: what an alarm looks like. */
import type { Alert, Priority, Tier } from "@tocsin/react";

/** Worst first: the one that matters more stands before the other. */
export const PRIORITIES: readonly Priority[] = ["high", "medium", "low"];

/** How an alarm is drawn: by its priority, but for technical ones, which are about the measuring. */
export type Look = Priority | "technical";

/** Said beside the colour, always: one of twelve men cannot tell red from green. */
const SYMBOLS: Record<Look, string> = { high: "***", medium: "**", low: "*", technical: "!!!" };

export function lookOf({ kind, priority }: Pick<Alert, "kind" | "priority">): Look {
  return kind === "technical" ? "technical" : (PRIORITIES[rankOf(priority)] ?? "high");
}

/** The tiers in which rules and counts speak are priorities by other names. */
const PRIORITY_OF: Record<Tier, Priority> = { critical: "high", moderate: "medium", slight: "low" };

export function symbolOfTier(tier: Tier): string {
  return SYMBOLS[PRIORITY_OF[tier]];
}

/** 0 for the worst. */
export function rankOfTier(tier: Tier): number {
  return rankOf(PRIORITY_OF[tier]);
}

export function symbolOf(alert: Pick<Alert, "kind" | "priority">): string {
  return SYMBOLS[lookOf(alert)];
}

/** 0 for the worst, which is also what one counts as that a newer server knows and this page does not. */
export function rankOf(priority: Priority): number {
  return Math.max(0, PRIORITIES.indexOf(priority));
}

/** Whether nobody has taken it on: it flashes and sounds. */
export function isUntaken({ state }: Pick<Alert, "state">): boolean {
  return state === "active";
}
