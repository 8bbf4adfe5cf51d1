/** One connection for all tabs of a browser that follow the same stream. */
import type { Message } from "./event-stream.ts";
import { follow, type Listener, type Stream } from "./follow.ts";
import type { Known, OpenAlerts } from "./open-alerts.ts";
import type { ConnectionState } from "./types.ts";

type Word =
  | { kind: "hello" }
  | { kind: "known"; known: Known; state: ConnectionState }
  | { kind: "heard"; messages: Message[] }
  | { kind: "state"; state: ConnectionState; isHidden: boolean };

/** A leader says something at least this often; one that is silent for much longer hangs, and loses its place. */
const WORD_EVERY_MS = 5_000;
const PATIENCE_MS = 60_000;

export function canShare(): boolean {
  return Boolean(globalThis.navigator?.locks && globalThis.BroadcastChannel);
}

/**
 * Follow together: the tab that holds a lock has the connection, and tells the others every message.
 *
 * Each of them keeps the alerts and the cursor by itself. When the one with the connection goes, the browser gives its
 * lock to another, which goes on from the very event at which it stands: nothing is lost and nothing comes twice.
 */
export async function followTogether(
  name: string,
  stream: Stream,
  listener: Listener,
  alerts: OpenAlerts,
  signal: AbortSignal,
): Promise<void> {
  const channel = new BroadcastChannel(name);
  const tell = (word: Word) => channel.postMessage(word);
  const isHidden = () => globalThis.document?.visibilityState === "hidden";
  let state = { phase: "connecting", since: Date.now() } as ConnectionState;
  let isLeading = false;
  let isSynchronised = false;
  let heardAt = Date.now();
  let toldAt = 0;
  let takeOver: (() => void) | undefined;
  const change = (next: ConnectionState) => {
    state = next;
    listener.changed(next);
  };

  channel.onmessage = ({ data }: MessageEvent<Word>) => {
    heardAt = Date.now();
    if (data.kind === "hello") {
      if (isLeading) tell({ kind: "known", known: alerts.dump(), state });
    } else if (isLeading) {
      // Another one leads, since our lock was taken; the end of the lock is on its way to us.
    } else if (data.kind === "known") {
      if (isSynchronised) return;
      isSynchronised = true;
      alerts.load(data.known);
      listener.heard([]);
      change(data.state);
    } else if (!isSynchronised) {
      // Without what came before it, it would mean nothing.
    } else if (data.kind === "heard") listener.heard(data.messages);
    else {
      change(data.state);
      // Timers of a hidden tab are slowed down to one a minute: somebody who looks comes back faster.
      if (data.state.phase === "lost" && data.isHidden && !isHidden()) takeOver?.();
    }
  };
  tell({ kind: "hello" });
  const watchdog = setInterval(() => {
    if (!isLeading && Date.now() - heardAt > PATIENCE_MS) takeOver?.();
  }, WORD_EVERY_MS);

  const lead = async () => {
    const mine = new AbortController();
    const stop = () => mine.abort();
    signal.addEventListener("abort", stop);
    isLeading = isSynchronised = true;
    const told: Listener = {
      cursor: listener.cursor,
      heard: (messages) => {
        if (!isLeading) return;
        listener.heard(messages);
        if (messages.length || Date.now() - toldAt > WORD_EVERY_MS) {
          toldAt = Date.now();
          tell({ kind: "heard", messages });
        }
      },
      changed: (next) => {
        if (!isLeading) return;
        change(next);
        // That this tab closes is nobody else's matter.
        if (!signal.aborted) tell({ kind: "state", state: next, isHidden: isHidden() });
      },
    };
    // A tab that took over begins to be heard by those who came meanwhile.
    tell({ kind: "known", known: alerts.dump(), state });
    return {
      run: follow(stream, told, mine.signal),
      end: () => {
        isLeading = false;
        signal.removeEventListener("abort", stop);
        mine.abort();
      },
    };
  };

  try {
    let steal = false;
    while (!signal.aborted && state.phase !== "stopped") {
      const waiting = new AbortController();
      const giveUp = () => waiting.abort();
      signal.addEventListener("abort", giveUp);
      takeOver = () => {
        steal = true;
        waiting.abort();
      };
      let leading: Awaited<ReturnType<typeof lead>> | undefined;
      try {
        const options: LockOptions = steal ? { steal } : { signal: waiting.signal };
        steal = false;
        await navigator.locks.request(name, options, async () => {
          takeOver = undefined;
          leading = await lead();
          await leading.run;
        });
      } catch {
        // The lock was taken from us, or we have stopped waiting for it: the loop says what is next.
      } finally {
        leading?.end();
        heardAt = Date.now();
        signal.removeEventListener("abort", giveUp);
      }
    }
  } finally {
    clearInterval(watchdog);
    channel.close();
    if (state.phase !== "stopped") listener.changed({ phase: "stopped", since: Date.now(), reason: "closed" });
  }
}
