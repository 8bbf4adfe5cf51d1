/** PURE: the order in which alarms are seen to. */
import type { Alert } from "@tocsin/react";
import { isUntaken, rankOf } from "./priority.ts";

type Ordered = Pick<Alert, "alertId" | "priority" | "timestamp" | "state">;

/**
 * Worst first, then newest. A technical alarm stands where its priority says.
 *
 * Of one priority those that nobody has taken on come before the others: where a screen has room for few, an alarm that
 * somebody cares for must not push out one that nobody does.
 */
export function worstFirst<A extends Ordered>(alerts: Iterable<A>): A[] {
  return [...alerts].sort(
    (one, other) =>
      rankOf(one.priority) - rankOf(other.priority) ||
      Number(isUntaken(other)) - Number(isUntaken(one)) ||
      Date.parse(other.timestamp) - Date.parse(one.timestamp) ||
      // Of two from the same moment the same one stands first on every screen.
      (one.alertId < other.alertId ? -1 : 1),
  );
}

/**
 * The alarm that somebody has to see to first: the worst that nobody has taken on, else the worst.
 *
 * A frame or a title has room for one. With the worst of all in it, one that somebody cares for already would hide
 * another that nobody does.
 */
export function foremost<A extends Ordered>(alerts: Iterable<A>): A | undefined {
  const ordered = worstFirst(alerts);
  return ordered.find(isUntaken) ?? ordered[0];
}
