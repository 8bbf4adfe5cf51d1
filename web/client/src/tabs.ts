/** One connection for all tabs of a browser that follow the same stream. */
import type { Message } from "./event-stream.ts";
import { follow, type Listener, SILENCE_MS, type Stream } from "./follow.ts";
import type { Known, OpenAlerts } from "./open-alerts.ts";
import type { ConnectionState } from "./types.ts";

/** What tabs tell each other; `term` is when the one who leads began to, and greater than that of who led before. */
interface Word {
  term: number;
  isHello?: boolean;
  known?: Known;
  messages?: Message[];
  state?: ConnectionState;
  isHidden?: boolean | undefined;
}

/**
 * Follow together: the tab that holds a lock leads: it has the connection, and tells the others every message.
 *
 * Each of them keeps the alerts and the cursor by itself. When the one that leads goes, the browser gives its lock to
 * another, which goes on from the very event at which it stands: nothing is lost and nothing comes twice. One that
 * hangs loses its place. Throws where there are no locks. The signal is one that nobody else listens to.
 */
export async function followTogether(
  name: string,
  stream: Stream,
  listener: Listener,
  alerts: OpenAlerts,
  signal: AbortSignal,
): Promise<void> {
  const channel = new BroadcastChannel(name);
  // With a connection it hears of a server every 30 s, and without one it says so at least this often.
  const patienceMs = 2 * (stream.silenceMs ?? SILENCE_MS);
  let state = {} as ConnectionState;
  let term = 0;
  let isLeading = false;
  let steal = false;
  let turn = new AbortController();
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  const change = (next: ConnectionState) => {
    state = next;
    listener.changed(next);
  };
  const tell = (word: Omit<Word, "term">) => channel.postMessage({ term, ...word });
  const tellAll = () => tell({ known: alerts.known, messages: [], state });
  const takeOver = () => {
    steal = true;
    turn.abort();
  };
  const wait = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(takeOver, patienceMs);
  };

  channel.onmessage = ({ data: { isHello, ...word } }: MessageEvent<Word>) => {
    if (isLeading) return isHello && tellAll();
    // Words that follow nothing known mean nothing; nor do those of one that hung, and has lost its place.
    if (isHello || (word.known ? word.term < term : word.term !== term)) return;
    wait();
    term = word.term;
    if (word.known) alerts.known = word.known;
    if (word.messages) listener.heard(word.messages);
    if (!word.state) return;
    change(word.state);
    if (word.state.phase === "stopped") turn.abort();
    // Timers of a hidden tab are slowed down to one a minute: somebody who looks comes back faster.
    if (word.state.phase === "lost" && word.isHidden && !globalThis.document?.hidden) takeOver();
  };

  const lead = (signal: AbortSignal): Promise<void> => {
    clearTimeout(watchdog);
    isLeading = true;
    term = Math.max(term + 1, Date.now());
    tellAll();
    return follow(
      stream,
      {
        cursor: listener.cursor,
        heard: (messages) => {
          listener.heard(messages);
          tell({ messages });
        },
        changed: (next) => {
          // That this tab goes is nobody else's matter.
          if (signal.aborted) return;
          change(next);
          tell({ state: next, isHidden: globalThis.document?.hidden });
        },
      },
      signal,
    );
  };

  change({ phase: "connecting", since: Date.now() });
  signal.onabort = () => turn.abort();
  try {
    while (!signal.aborted && state.phase !== "stopped") {
      turn = new AbortController();
      const mine = turn.signal;
      const how: LockOptions = steal ? { steal } : { signal: mine };
      steal = false;
      wait();
      tell({ isHello: true });
      try {
        await navigator.locks.request(name, how, () => lead(mine));
      } catch (error) {
        // The lock was taken from us, or we have stopped waiting for it: the loop says what is next.
        if ((error as Error).name !== "AbortError") throw error;
      } finally {
        isLeading = false;
        turn.abort();
      }
    }
  } finally {
    clearTimeout(watchdog);
    channel.close();
  }
  if (signal.aborted) listener.changed({ phase: "stopped", since: Date.now(), reason: "closed" });
}
