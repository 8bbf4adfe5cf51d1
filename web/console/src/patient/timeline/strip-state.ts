/** PURE: when the strip of an alert may be there. */

/** The whole strip is stored so long after the alert (docs/strips.md), and a little later it can be asked for. */
const COMPLETE_AFTER_MS = 7_000;
const MARGIN_MS = 1_000;

/** In how many milliseconds to ask for the strip again; none where it will not change any more. */
export function asksAgainIn(raisedAt: number, now: number): number | undefined {
  const left = raisedAt + COMPLETE_AFTER_MS + MARGIN_MS - now;
  return left > 0 ? left : undefined;
}
