/** PURE: the limits that a number is held against. */
import type { components } from "@tocsin/react";

type LimitInForce = components["schemas"]["LimitInForce"];
type Limit = Pick<LimitInForce, "vitalType" | "direction" | "limit">;

/** The lowest and the highest value of a sign that raise no alarm; none where no rule has one. */
export interface Bounds {
  low?: number;
  high?: number;
}

/** The innermost limits of each type: the first that a value crosses, whatever the tier. */
export function innermost(limits: Iterable<Limit>): Map<string, Bounds> {
  const bounds = new Map<string, Bounds>();
  for (const { vitalType, direction, limit } of limits) {
    const known = bounds.get(vitalType) ?? {};
    if (direction === "below") known.low = Math.max(known.low ?? Number.NEGATIVE_INFINITY, limit);
    else known.high = Math.min(known.high ?? Number.POSITIVE_INFINITY, limit);
    bounds.set(vitalType, known);
  }
  return bounds;
}
