/** PURE: the order in which limits are read: sign by sign, the upper ones first, the worst outermost. */
import { rankOfTier } from "../../alarms/priority.ts";
import { TYPES } from "../trends/charts.ts";
import type { LimitInForce } from "./draft.ts";

export function inOrder<L extends Pick<LimitInForce, "vitalType" | "direction" | "limit" | "tier">>(
  limits: readonly L[],
): L[] {
  const place = (type: string) => (TYPES.includes(type) ? TYPES.indexOf(type) : TYPES.length);
  return [...limits].sort(
    (one, other) =>
      place(one.vitalType) - place(other.vitalType) ||
      one.vitalType.localeCompare(other.vitalType) ||
      (one.direction === other.direction ? 0 : one.direction === "above" ? -1 : 1) ||
      other.limit - one.limit ||
      rankOfTier(one.tier) - rankOfTier(other.tier),
  );
}
