/** PURE: the order in which alarms are seen to. */
import type { Alert } from "@tocsin/react";
import { isUntaken, rankOf } from "./priority.ts";

type Ordered = Pick<Alert, "alertId" | "priority" | "timestamp">;

/** Worst first, then newest, whoever has taken them on. A technical alarm stands where its priority says. */
export function worstFirst<A extends Ordered>(alerts: Iterable<A>): A[] {
  return [...alerts].sort(
    (one, other) =>
      rankOf(one.priority) - rankOf(other.priority) ||
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
export function foremost<A extends Ordered & Pick<Alert, "state">>(alerts: Iterable<A>): A | undefined {
  const ordered = worstFirst(alerts);
  return ordered.find(isUntaken) ?? ordered[0];
}

/** As many of a patient's alarms as there is room for: the worst, and in any case the one to see to first. */
export function fitting<A extends Ordered & Pick<Alert, "state">>(alerts: Iterable<A>, room: number): A[] {
  const ordered = worstFirst(alerts);
  const kept = ordered.slice(0, room);
  const first = foremost(ordered);
  return !first || kept.includes(first) ? kept : [...kept.slice(0, -1), first];
}
