/** PURE: which stretch of time the trends show. */

export const SPANS = ["1h", "6h", "24h", "7d"] as const;
export type Span = (typeof SPANS)[number];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const LENGTH: Record<Span, number> = { "1h": HOUR, "6h": 6 * HOUR, "24h": 24 * HOUR, "7d": 168 * HOUR };

/** The last hours up to now, or a stretch that somebody has chosen, in milliseconds of the epoch. */
export type TrendWindow = { kind: "live"; span: Span } | { kind: "fixed"; since: number; until: number };

const SHORTEST = 2 * MINUTE;
const LONGEST = 31 * 24 * HOUR;

/** How many points a trend has at most: about one for each pixel pair of a large screen. */
export const POINTS = 600;

export interface Stretch {
  since: number;
  until: number;
}

export function stretchOf(window: TrendWindow, now: number): Stretch {
  return window.kind === "fixed" ? window : { since: now - LENGTH[window.span], until: now };
}

/** How often there is something new to draw; a stretch of the past is asked for once. */
export function renewsEveryMs(window: TrendWindow): number | false {
  return window.kind === "live" && Math.max(10_000, LENGTH[window.span] / POINTS);
}

/** A stretch that was drawn with the finger or chosen with a key, cut to what makes sense. */
export function fixed(since: number, until: number, now: number): TrendWindow {
  const length = Math.min(Math.max(until - since, SHORTEST), LONGEST);
  const end = Math.min((since + until + length) / 2, now);
  return { kind: "fixed", since: end - length, until: end };
}

/** Half of the time, twice the time, or half a screen earlier or later. */
export function moved(window: TrendWindow, how: "closer" | "wider" | "earlier" | "later", now: number): TrendWindow {
  const { since, until } = stretchOf(window, now);
  const length = until - since;
  if (how === "closer") return fixed(since + length / 4, until - length / 4, now);
  if (how === "wider") return fixed(since - length / 2, until + length / 2, now);
  const step = how === "earlier" ? -length / 2 : length / 2;
  return fixed(since + step, until + step, now);
}
