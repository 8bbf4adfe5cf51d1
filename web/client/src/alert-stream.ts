/** The alerts that somebody may see, as they are now and as they change. */
import { call, type InputOf, type OutputOf, searchOf } from "./call.ts";
import { addressOf, type Connection } from "./connection.ts";
import { follow, type Listener } from "./follow.ts";
import { type AlertMap, OpenAlerts } from "./open-alerts.ts";
import { followTogether } from "./tabs.ts";
import type { AlertEvent, Audience, ConnectionState } from "./types.ts";

/**
 * Where a cursor is kept between two lives of a page or a process, such as `localStorage` or a file.
 *
 * What it throws stops nothing: without an answer the stream begins with what is open.
 */
export interface CursorStorage {
  get(): string | null | undefined | Promise<string | null | undefined>;
  set(cursor: string): void | Promise<void>;
}

export type AlertStreamOptions = Connection &
  Audience & {
    /** Without one the cursor lives as long as the stream, and every stream begins with what is open. */
    storage?: CursorStorage;
    /**
     * Tabs of one browser that give the same name share one connection, where the browser can. Put in who is signed
     * in, so that nobody hears the alerts of somebody else.
     */
    share?: string;
    /** `eventsource` is the browser's own, for the cookie alone; it does not notice a connection that is silent. */
    transport?: "fetch" | "eventsource";
    /** After so many milliseconds without a byte the connection is lost: 45 s, since the server speaks every 30 s. */
    silenceMs?: number;
  };

export interface AlertStreamEvents {
  /** Every event as it comes, in order and once; also those of a snapshot or a replay. */
  event: AlertEvent;
  /** The open alerts have changed. */
  alerts: AlertMap;
  state: ConnectionState;
}

export interface AlertStream {
  /** The open alerts by their ids: a new map whenever one of them has changed. */
  readonly alerts: AlertMap;
  readonly state: ConnectionState;
  readonly cursor: string;
  /** Call back for each; what it returns ends that. */
  on<K extends keyof AlertStreamEvents>(name: K, callback: (told: AlertStreamEvents[K]) => void): () => void;
  close(): void;
}

/**
 * Follow the alerts of an audience until it is closed, or the server refuses for good.
 *
 * Throws `TypeError` where the address of the server is not known.
 */
export function createAlertStream(options: AlertStreamOptions): AlertStream {
  const stream = { ...options, path: pathOf(options) };
  addressOf(options, stream.path);
  const alerts = new OpenAlerts();
  const end = new AbortController();
  // What a callback throws is reported as an error that nobody caught, and stops neither the others nor the stream.
  const callbacks = new EventTarget();
  let state!: ConnectionState; // Connecting, before anybody can ask.
  let hasBegun = false;
  let storing: Promise<void> = Promise.resolve();

  const tell = <K extends keyof AlertStreamEvents>(name: K, detail: AlertStreamEvents[K]) =>
    callbacks.dispatchEvent(new CustomEvent(name, { detail }));
  const listener: Listener = {
    cursor: async (signal) => {
      if (!hasBegun) {
        const stored = await (async () => options.storage?.get())().catch(() => null);
        // A cursor alone brings what has happened since, and not what was open then: that is asked for first.
        if (stored) await seed(stored, signal);
        hasBegun = true;
      }
      return alerts.known.cursor;
    },
    heard: (messages) => {
      hasBegun = true;
      try {
        for (const message of messages) {
          const event = alerts.take(message);
          if (event) tell("event", event);
          if (end.signal.aborted) return;
        }
      } finally {
        // One after the other, each the newest: a slow storage does not end up with an old one.
        storing = storing.then(() => options.storage?.set(alerts.known.cursor)).catch(() => {});
      }
      // Without messages it is another tab that told everything at once.
      if (alerts.publish() || !messages.length) tell("alerts", alerts.known.published);
    },
    changed: (next) => {
      state = next;
      tell("state", next);
    },
  };

  void run();
  return {
    get alerts() {
      return alerts.known.published;
    },
    get state() {
      return state;
    },
    get cursor() {
      return alerts.known.cursor;
    },
    on: (name, callback) => {
      const hear = (event: Event) => callback((event as CustomEvent).detail);
      callbacks.addEventListener(name, hear);
      return () => callbacks.removeEventListener(name, hear);
    },
    close: () => end.abort(),
  };

  /** Begin with everything that is open and that the caller may see; the stream says what of it is its own. */
  async function seed(stored: string, signal: AbortSignal): Promise<void> {
    let cursor: string | null = null;
    do {
      const query: InputOf<"get", "/api/v1/alerts">["query"] = { state: "open", limit: 500, cursor };
      const page: OutputOf<"get", "/api/v1/alerts"> = await call(options, "get", "/api/v1/alerts", { query, signal });
      alerts.seed(page.alerts, stored);
      cursor = page.nextCursor;
    } while (cursor);
  }

  async function run(): Promise<void> {
    if (options.share !== undefined) {
      try {
        const name = `tocsin ${[options.share, options.baseUrl, stream.path]}`;
        return await followTogether(name, stream, listener, alerts, end.signal);
      } catch {
        // Neither Node 20 nor a page without TLS or in a sandbox has what that takes: it goes on alone.
      }
    }
    await follow(stream, listener, end.signal);
  }
}

function pathOf(audience: Audience): string {
  if ("caregiver" in audience) return "/api/v1/caregivers/alerts/stream";
  // Without a patient it is every one.
  const patientId = "patientId" in audience ? audience.patientId : "";
  return `/api/v1/alerts/stream${searchOf({ role: audience.role, patient_id: patientId })}`;
}
