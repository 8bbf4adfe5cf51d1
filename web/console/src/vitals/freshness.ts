/** PURE: whether a number may still be shown, and how. The same times as in the demo's own view. */

/** From when on a number is shown with its age, and from when on not at all; milliseconds. */
interface Freshness {
  agesAfter: number;
  missingAfter: number;
}

/** How a vital sign is measured: all the time, by a cuff every few minutes, or written down on a round. */
export type Measured = "continuously" | "occasionally" | "on rounds";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Rounds are at most twelve hours apart (NEWS2, Royal College of Physicians 2017: the least for a score of 0). */
const FRESHNESS: Record<Measured, Freshness> = {
  continuously: { agesAfter: 5 * SECOND, missingAfter: 30 * SECOND },
  occasionally: { agesAfter: 90 * SECOND, missingAfter: 10 * MINUTE },
  "on rounds": { agesAfter: 90 * SECOND, missingAfter: 12 * 60 * MINUTE },
};

/** Shown plainly; shown with its age in milliseconds; or not shown: `--`. */
export type Standing = { kind: "fresh" } | { kind: "old"; age: number } | { kind: "missing" };

/**
 * How a number stands now.
 *
 * @param measuredAt by the clock of the device, which may be ahead: then it is as old as it was seen here.
 * @param seenAt when this page first had it; by the server's clock, as `now`.
 */
export function standing(measured: Measured, measuredAt: number, seenAt: number, now: number): Standing {
  const age = Math.max(now - measuredAt, now - seenAt, 0);
  const { agesAfter, missingAfter } = FRESHNESS[measured];
  if (age > missingAfter || Number.isNaN(age)) return { kind: "missing" };
  return age > agesAfter ? { kind: "old", age } : { kind: "fresh" };
}
