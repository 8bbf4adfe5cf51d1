/** How long to wait before coming back. */

/** Long enough for a server that comes up again, short enough for somebody who waits for alarms. */
const LONGEST_WAIT_MS = 10_000;

/** What a timer can hold, 24 days; one that is set for longer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Full jitter: anything up to `baseMs`, doubled for each failure in a row, so that a thousand clients do not come back
 * in step (M. Brooker, "Exponential Backoff and Jitter", 2015).
 */
export function backoffMs(baseMs: number, failures: number): number {
  return Math.random() * Math.min(LONGEST_WAIT_MS, baseMs * 2 ** failures);
}

/** Resolve after so many milliseconds, or at once when the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, LONGEST_TIMER_MS));
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}

/**
 * What was promised, or a rejection as soon as the signal is aborted: for work that cannot be told to stop.
 *
 * The signal is one that nobody else listens to, and that ends with the work.
 */
export function unlessAborted<T>(signal: AbortSignal, work: T | Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const abortion = new Promise<never>((_, reject) => {
    signal.onabort = () => reject(signal.reason);
  });
  return Promise.race([work, abortion]);
}
