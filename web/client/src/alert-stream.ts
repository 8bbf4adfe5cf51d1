/** The alerts that somebody may see, as they are now and as they change. */
import { call, type InputOf, type OutputOf, searchOf } from "./call.ts";
import type { Connection } from "./connection.ts";
import type { Message } from "./event-stream.ts";
import { follow, type Listener } from "./follow.ts";
import { type AlertMap, OpenAlerts } from "./open-alerts.ts";
import { canShare, followTogether } from "./tabs.ts";
import type { Alert, AlertEvent, Audience, ConnectionState } from "./types.ts";

/** Where a cursor is kept between two lives of a page or a process, such as `localStorage` or a file. */
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

/** Follow the alerts of an audience until it is closed, or the server refuses for good. */
export function createAlertStream(options: AlertStreamOptions): AlertStream {
  const alerts = new OpenAlerts();
  const end = new AbortController();
  const callbacks = { event: new Set(), alerts: new Set(), state: new Set() } as {
    [K in keyof AlertStreamEvents]: Set<(told: AlertStreamEvents[K]) => void>;
  };
  let state: ConnectionState = { phase: "connecting", since: Date.now() };
  let storedCursor = "";
  const tell = <K extends keyof AlertStreamEvents>(name: K, told: AlertStreamEvents[K]) => {
    for (const callback of callbacks[name]) {
      try {
        callback(told);
      } catch (error) {
        // A mistake of one of those who listen stops neither the others nor the stream.
        reportError(error);
      }
    }
  };
  const listener: Listener = {
    cursor: () => alerts.cursor,
    heard: (messages: Message[]) => {
      for (const message of messages) {
        const event = alerts.take(message);
        if (event) tell("event", event);
      }
      if (alerts.publish() || messages.length === 0) tell("alerts", alerts.published);
      if (alerts.cursor !== storedCursor) {
        storedCursor = alerts.cursor;
        options.storage?.set(storedCursor);
      }
    },
    changed: (next) => {
      state = next;
      tell("state", next);
    },
  };

  void run();
  return {
    get alerts() {
      return alerts.published;
    },
    get state() {
      return state;
    },
    get cursor() {
      return alerts.cursor;
    },
    on: (name, callback) => {
      callbacks[name].add(callback);
      return () => callbacks[name].delete(callback);
    },
    close: () => end.abort(),
  };

  async function run(): Promise<void> {
    const stored = await options.storage?.get();
    if (stored) await seed(stored);
    const stream = { ...options, path: pathOf(options) };
    if (options.share !== undefined && canShare()) {
      const name = `tocsin ${options.share} ${options.baseUrl ?? ""}${stream.path}`;
      await followTogether(name, stream, listener, alerts, end.signal);
    } else await follow(stream, listener, end.signal);
  }

  /** A cursor alone brings what has happened since, and not what was open then: that is asked for first. */
  async function seed(cursor: string): Promise<void> {
    const open: Alert[] = [];
    let page: string | null = null;
    try {
      do {
        const query: InputOf<"get", "/api/v1/alerts">["query"] = {
          state: "open",
          limit: 500,
          cursor: page,
          patient_id: patientOf(options) ?? null,
        };
        const answer: OutputOf<"get", "/api/v1/alerts"> = await call(options, "get", "/api/v1/alerts", {
          query,
          signal: end.signal,
        });
        open.push(...answer.alerts);
        page = answer.nextCursor;
      } while (page);
      storedCursor = cursor;
      alerts.seed(open, cursor);
    } catch {
      // Without it the stream begins with a snapshot, or says itself what is wrong.
    }
  }
}

function patientOf(audience: Audience): string | undefined {
  return "patientId" in audience ? audience.patientId : undefined;
}

function pathOf(audience: Audience): string {
  if ("caregiver" in audience) return "/api/v1/caregivers/alerts/stream";
  const patientId = "all" in audience ? "*" : patientOf(audience);
  return `/api/v1/alerts/stream${searchOf({ role: audience.role, patient_id: patientId })}`;
}
