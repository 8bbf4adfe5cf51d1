/** Connects, and comes back, for as long as it makes sense: the one course of event streams and of sockets. */
import { backoffMs, pause } from "./backoff.ts";
import { Refused } from "./connection.ts";
import type { ConnectionState } from "./types.ts";

/** A connection as the one who makes it sees it. */
export interface Attempt {
  /** Aborted when it is over: closed here, or silent for too long. */
  signal: AbortSignal;
  /** For how many milliseconds it may be silent; 0: for ever. */
  silenceMs: number;
  /** Something came. */
  alive(): void;
  /** All is well. */
  live(): void;
  /** Why it ends, where the server has said so. */
  reason: string;
  /** How long the server wants to be left alone after it. */
  retryMs: number;
  /** How long to wait at most when it ends for the first time; stays for the attempts after this one. */
  baseMs: number;
}

/** What comes before the first word of a server about it. */
const FIRST_BASE_MS = 1000;

/**
 * Returns when the signal is aborted, or when the server has refused for good; `changed` is told which.
 *
 * `connect` returns when the connection has ended, and throws when there was none or it broke.
 */
export async function stayConnected(
  connect: (attempt: Attempt) => Promise<void>,
  changed: (state: ConnectionState) => void,
  signal: AbortSignal,
  silenceMs: number,
): Promise<void> {
  let failures = 0;
  let lostAt = 0;
  let over = new AbortController();
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  const attempt = {
    baseMs: FIRST_BASE_MS,
    alive: () => {
      clearTimeout(watchdog);
      const silent = () => over.abort(new Error("silence"));
      if (attempt.silenceMs) watchdog = setTimeout(silent, attempt.silenceMs);
    },
    live: () => {
      attempt.alive();
      failures = lostAt = 0;
      changed({ phase: "live", since: Date.now() });
    },
  } as Attempt;
  const stop = (reason: string, refused?: Refused) =>
    changed({ phase: "stopped", since: Date.now(), reason, status: refused?.status });

  changed({ phase: "connecting", since: Date.now() });
  while (!signal.aborted) {
    let refused: Refused | undefined;
    over = new AbortController();
    Object.assign(attempt, { signal: AbortSignal.any([signal, over.signal]), silenceMs, reason: "", retryMs: 0 });
    try {
      attempt.alive();
      await connect(attempt);
    } catch (error) {
      if (error instanceof Refused) {
        refused = error;
        attempt.retryMs = error.retryAfterMs;
      }
      // A browser may say no more than that it was aborted: why, the signal knows.
      attempt.reason ||= refused?.code || (over.signal.reason ?? error).message;
    }
    clearTimeout(watchdog);
    over.abort();
    if (signal.aborted) break;
    const { reason, baseMs, retryMs } = attempt;
    // Whoever comes back after `replaced` pushes the newer connection out.
    if (refused?.isFinal || reason === "replaced") return stop(reason, refused);
    // The end of a token comes to each client at its own time: nothing to wait for, where all was well before.
    const inMs = reason === "token_expired" && !failures ? 0 : retryMs + backoffMs(baseMs, failures);
    failures++;
    lostAt ||= Date.now();
    changed({ phase: "lost", since: lostAt, reason: reason || "ended", retryAt: Date.now() + inMs });
    await pause(inMs, signal);
  }
  stop("closed");
}
