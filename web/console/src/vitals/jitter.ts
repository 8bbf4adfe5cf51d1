/** PURE: when to show what a device has measured, so that the pen moves evenly although frames do not come evenly. */

/** How long the slowest frame may be under way beyond the quickest, without a gap on the screen. */
const SLACK_MS = 250;

/** The quickest way is forgotten after one to two of these: clocks drift, and networks change. */
const FORGETS_AFTER_MS = 5_000;

/** So much faster or slower than the patient the pen may show them, to come back to its place. */
const SLEW_PART = 0.05;

/** From so far on it is not worth the while: the pen jumps there. */
const JUMPS_FROM_MS = 400;

/**
 * The play-out clock of one curve: how far behind this screen's clock the device's time is shown.
 *
 * A frame can only get later on its way. The shortest way of the last seconds says how the clocks differ, hours
 * included; what is shown is that, the longest frame, and some slack behind.
 */
export class PlayOut {
  #lag: number | undefined;
  #advancedAt = 0;
  #bucketSince = Number.NEGATIVE_INFINITY;
  /** Of this bucket and of the one before: the shortest way, and the longest frame. */
  #quickest = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as [number, number];
  #longest = [0, 0] as [number, number];

  /** A frame from `start` to `end`, by the device's clock, has come at `now`, by the screen's; in milliseconds. */
  heard(start: number, end: number, now: number): void {
    if (now - this.#bucketSince >= FORGETS_AFTER_MS) {
      const isLongAgo = now - this.#bucketSince >= 2 * FORGETS_AFTER_MS;
      this.#quickest = [Number.POSITIVE_INFINITY, isLongAgo ? Number.POSITIVE_INFINITY : this.#quickest[0]];
      this.#longest = [0, isLongAgo ? 0 : this.#longest[0]];
      this.#bucketSince = now;
    }
    this.#quickest[0] = Math.min(this.#quickest[0], now - end);
    this.#longest[0] = Math.max(this.#longest[0], end - start);
  }

  /** What is added to a device's time to get the time at which the screen shows it; none before anything was heard. */
  lagAt(now: number): number | undefined {
    const quickest = Math.min(...this.#quickest);
    if (quickest === Number.POSITIVE_INFINITY) return this.#lag;
    const wanted = quickest + Math.max(...this.#longest) + SLACK_MS;
    const away = this.#lag === undefined ? Number.POSITIVE_INFINITY : wanted - this.#lag;
    const most = SLEW_PART * Math.max(0, now - this.#advancedAt);
    if (this.#lag === undefined || Math.abs(away) > JUMPS_FROM_MS) this.#lag = wanted;
    else this.#lag += Math.max(-most, Math.min(most, away));
    this.#advancedAt = now;
    return this.#lag;
  }

  /** Forget everything: the clock of the device has jumped. */
  reset(): void {
    this.#lag = undefined;
    this.#bucketSince = Number.NEGATIVE_INFINITY;
    this.#quickest = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    this.#longest = [0, 0];
  }
}
