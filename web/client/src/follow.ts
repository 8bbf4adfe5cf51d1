/** Follows one event stream. */
import { unlessAborted } from "./backoff.ts";
import { addressOf, type Connection, request } from "./connection.ts";
import { createReader, type Message } from "./event-stream.ts";
import { type Attempt, stayConnected } from "./stay-connected.ts";
import type { ConnectionState } from "./types.ts";

export interface Stream extends Connection {
  /** The address of the stream, with its query. */
  path: string;
  transport?: "fetch" | "eventsource";
  silenceMs?: number;
}

/** Who listens. */
export interface Listener {
  /** The last id that has been dealt with; asked before each connection. */
  cursor(signal: AbortSignal): string | Promise<string>;
  /** Messages that came together, one at least. What it throws counts as a lost connection. */
  heard(messages: Message[]): void;
  changed(state: ConnectionState): void;
}

/** The server says something every 30 s: after half as long again without a byte it is gone. */
export const SILENCE_MS = 45_000;

type Heard = (messages: Message[]) => void;

/** Returns when the signal is aborted, or when the server has refused for good; says which to the listener. */
export function follow(stream: Stream, listener: Listener, signal: AbortSignal): Promise<void> {
  return stayConnected(
    async (attempt) => {
      const heard: Heard = (messages) => {
        listener.heard(messages);
        for (const { event, data } of messages) {
          if (event === "stream.ready") attempt.live();
          if (event === "stream.closing") {
            const { reason, retryMs = 0 } = JSON.parse(data);
            Object.assign(attempt, { reason, retryMs });
          }
        }
      };
      const cursor = await listener.cursor(attempt.signal);
      if (stream.transport === "eventsource") await connectNatively(stream, cursor, attempt, heard);
      else await connectByFetch(stream, cursor, attempt, heard);
    },
    listener.changed,
    signal,
    stream.silenceMs ?? SILENCE_MS,
  );
}

/** Returns when the server ends the stream; throws when it refuses, or when the connection is gone or silent. */
async function connectByFetch(stream: Stream, cursor: string, attempt: Attempt, heard: Heard) {
  const headers: Record<string, string> = cursor ? { "Last-Event-ID": cursor } : {};
  const response = await request(stream, stream.path, { headers, signal: attempt.signal });
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new Error("no text/event-stream");
  const read = createReader((ms) => {
    attempt.baseMs = ms;
  });
  const reader = response.body?.getReader();
  for (;;) {
    const { value } = (await reader?.read()) ?? {};
    if (!value) return;
    attempt.alive();
    const messages = read(value);
    if (messages.length) heard(messages);
  }
}

const NAMED = ["message", "stream.opened", "stream.scope", "stream.ready", "stream.closing"];

/**
 * The same through the browser's own `EventSource`: signed in by cookie, and without an eye on silence, since it shows
 * no keepalives. It hides why it was refused, which is asked by a request that is cut off at its answer.
 */
async function connectNatively(stream: Stream, cursor: string, attempt: Attempt, heard: Heard) {
  const address = addressOf(stream, stream.path);
  if (cursor) address.searchParams.set("last_event_id", cursor);
  attempt.silenceMs = 0;
  attempt.alive();
  const source = new EventSource(address, { withCredentials: true });
  const ended = new Promise<boolean>((resolve, reject) => {
    for (const event of NAMED) {
      source.addEventListener(event, ({ data, lastEventId: id }: MessageEvent<string>) => {
        try {
          heard([{ event, data, id }]);
        } catch (error) {
          reject(error);
        }
      });
    }
    // 2 is CLOSED: a browser that was refused does not try again.
    source.onerror = () => resolve(source.readyState === 2);
  });
  const wasRefused = await unlessAborted(attempt.signal, ended).finally(() => source.close());
  if (wasRefused) await request(stream, stream.path, { signal: attempt.signal });
}
