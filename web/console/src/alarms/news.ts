/** PURE: what is new among the alarms, to be told once to those who listen and do not look. */
import type { Alert, AlertMap } from "@tocsin/react";
import { isUntaken, rankOf } from "./priority.ts";

/** The alarms that were not there before, or have become worse since. */
export function newsOf(before: AlertMap, now: AlertMap): Alert[] {
  return [...now.values()].filter((alert) => {
    const known = before.get(alert.alertId);
    return isUntaken(alert) && (!known || rankOf(alert.priority) < rankOf(known.priority));
  });
}
