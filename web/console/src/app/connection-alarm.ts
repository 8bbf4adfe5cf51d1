/** PURE: whether the alarms on this screen can be relied on. */
import type { ConnectionState } from "@tocsin/react";

/** A connection that takes longer than this to come about is as good as lost. */
export const PATIENCE_MS = 10_000;

/** A connection that is back at once alarms the eyes alone: restarts of a server are no reason to wake a ward. */
export const SOUNDS_AFTER_MS = 5_000;

export type Connection =
  | { phase: "connecting" }
  | { phase: "live" }
  | { phase: "lost"; since: number; retryAt: number | null; isOffline: boolean }
  | { phase: "stopped"; since: number; status: number | undefined; reason: string };

/** Whether the connection takes so long to come about that it counts as lost. */
export function isOverdue({ phase, since }: ConnectionState, now: number): boolean {
  return phase === "connecting" && now - since >= PATIENCE_MS;
}

/** How the connection is to be shown, from the stream's state and since when the browser has had no network. */
export function connectionOf(state: ConnectionState, offlineSince: number | null, isLate: boolean): Connection {
  if (state.phase === "stopped") {
    return { phase: "stopped", since: state.since, status: state.status, reason: state.reason };
  }
  const retryAt = state.phase === "lost" ? state.retryAt : null;
  if (offlineSince !== null) {
    // The stream itself notices only after a while that nothing comes any more.
    const since = state.phase === "live" ? offlineSince : Math.min(offlineSince, state.since);
    return { phase: "lost", since, retryAt, isOffline: true };
  }
  if (state.phase === "lost") return { phase: "lost", since: state.since, retryAt, isOffline: false };
  if (state.phase === "connecting" && isLate) {
    return { phase: "lost", since: state.since, retryAt, isOffline: false };
  }
  return { phase: state.phase };
}

/** Whether it is to be heard, too. */
export function isHeard(connection: Connection, now: number): boolean {
  const { phase } = connection;
  return (phase === "lost" || phase === "stopped") && now - connection.since >= SOUNDS_AFTER_MS;
}

/** Whether what the screen shows may be old. */
export function isStale({ phase }: Connection): boolean {
  return phase === "lost" || phase === "stopped";
}
