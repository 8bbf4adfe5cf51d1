/** PURE: what a change of limits has changed. */
import type { components } from "@tocsin/react";

type LimitChange = components["schemas"]["LimitChange"];

/** A limit before and after; none where that of the unit or of the rules held. */
export interface Difference {
  condition: string;
  tier: string;
  before: number | undefined;
  after: number | undefined;
}

export function differences({ before, after }: Pick<LimitChange, "before" | "after">): Difference[] {
  const found = new Map<string, Difference>();
  const of = (condition: string, tier: string) => {
    const key = `${condition} ${tier}`;
    const known = found.get(key) ?? { condition, tier, before: undefined, after: undefined };
    found.set(key, known);
    return known;
  };
  for (const { condition, tier, limit } of before.limits) of(condition, tier).before = limit;
  for (const { condition, tier, limit } of after.limits) of(condition, tier).after = limit;
  return [...found.values()].filter((it) => it.before !== it.after);
}
