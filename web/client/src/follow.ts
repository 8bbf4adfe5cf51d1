/** Follows one event stream for as long as it makes sense: connects, listens, comes back. */
import { backoffMs, pause } from "./backoff.ts";
import { type Connection, Refused, request } from "./connection.ts";
import { createReader, type Message } from "./event-stream.ts";
import type { ConnectionState } from "./types.ts";

export interface Stream extends Connection {
  /** The address of the stream, with its query. */
  path: string;
  transport?: "fetch" | "eventsource";
  silenceMs?: number;
}

/** Who listens. */
export interface Listener {
  /** The last id that has been dealt with. */
  cursor(): string;
  /** Messages that came together; none of them where bytes came that complete no message yet. */
  heard(messages: Message[]): void;
  changed(state: ConnectionState): void;
}

/** The server says something every 30 s: after half as long again without a byte it is gone. */
const SILENCE_MS = 45_000;

/** What comes before the first `retry:` of a server. */
const FIRST_RETRY_MS = 1000;

/** Returns when the signal is aborted, or when the server has refused for good; says which to the listener. */
export async function follow(stream: Stream, listener: Listener, signal: AbortSignal): Promise<void> {
  const connect = stream.transport === "eventsource" ? connectNatively : connectByFetch;
  let retryMs = FIRST_RETRY_MS;
  let failures = 0;
  let lostAt = 0;
  listener.changed({ phase: "connecting", since: Date.now() });
  while (!signal.aborted) {
    let waitMs = 0;
    let reason = "ended";
    try {
      await connect(stream, listener.cursor(), signal, {
        retry: (ms) => {
          retryMs = ms;
        },
        heard: (messages) => {
          listener.heard(messages);
          for (const { event, data } of messages) {
            if (event === "stream.ready") {
              failures = lostAt = 0;
              listener.changed({ phase: "live", since: Date.now() });
            } else if (event === "stream.closing") {
              const closing = JSON.parse(data);
              reason = closing.reason;
              waitMs = closing.retryMs ?? 0;
            }
          }
        },
      });
      // Coming back would push the newer connection out.
      if (reason === "replaced") throw new Error(reason);
    } catch (error) {
      if (signal.aborted) break;
      if ((error instanceof Refused && error.isFinal) || reason === "replaced") {
        const refused =
          error instanceof Refused ? { status: error.status, reason: error.code || error.message } : { reason };
        listener.changed({ phase: "stopped", since: Date.now(), ...refused });
        return;
      }
      reason = error instanceof Error ? error.message : String(error);
      if (error instanceof Refused) waitMs = error.retryAfterMs;
    }
    if (signal.aborted) break;
    // A server that said when to come back has spread its clients already.
    waitMs += waitMs && !failures ? 0 : backoffMs(retryMs, failures);
    failures++;
    lostAt ||= Date.now();
    listener.changed({ phase: "lost", since: lostAt, reason, retryAt: Date.now() + waitMs });
    await pause(waitMs, signal);
  }
  listener.changed({ phase: "stopped", since: Date.now(), reason: "closed" });
}

interface Ears {
  heard(messages: Message[]): void;
  retry(ms: number): void;
}

/** Returns when the server ends the stream; throws when it refuses, or when the connection is gone or silent. */
async function connectByFetch(stream: Stream, cursor: string, signal: AbortSignal, ears: Ears): Promise<void> {
  const attempt = new AbortController();
  const stop = () => attempt.abort(signal.reason);
  signal.addEventListener("abort", stop);
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  const alive = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => attempt.abort(new Error("silence")), stream.silenceMs ?? SILENCE_MS);
  };
  try {
    alive();
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (cursor) headers["Last-Event-ID"] = cursor;
    const response = await request(stream, stream.path, { headers, signal: attempt.signal });
    if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new Error("not an event stream");
    const read = createReader(ears.retry);
    const reader = response.body?.getReader();
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done || !value) return;
      alive();
      ears.heard(read(value));
    }
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener("abort", stop);
    attempt.abort();
  }
}

const NAMED = ["stream.opened", "stream.scope", "stream.ready", "stream.closing"];

/**
 * The same through the browser's own `EventSource`: signed in by cookie, and without an eye on silence, since it shows
 * no keepalives. It hides why it was refused, which is asked by a request that is cut off at its answer.
 */
async function connectNatively(stream: Stream, cursor: string, signal: AbortSignal, ears: Ears): Promise<void> {
  const { baseUrl = "", path } = stream;
  const address = path + (cursor ? `${path.includes("?") ? "&" : "?"}last_event_id=${encodeURIComponent(cursor)}` : "");
  const source = new EventSource(baseUrl + address, { withCredentials: true });
  let isOpen = false;
  let stop: () => void = () => {};
  await new Promise<void>((resolve) => {
    stop = resolve;
    const take = ({ type: event, data, lastEventId: id }: MessageEvent<string>) => {
      isOpen = true;
      ears.heard([{ event, data, id }]);
    };
    source.onmessage = take;
    for (const name of NAMED) source.addEventListener(name, take);
    source.onerror = () => resolve();
    signal.addEventListener("abort", stop);
  });
  signal.removeEventListener("abort", stop);
  source.close();
  if (isOpen || signal.aborted) return;
  const probe = new AbortController();
  try {
    await request(stream, address, { signal: probe.signal });
  } finally {
    probe.abort();
  }
}
