/** Watches a stream, and waits for what it becomes. */
import { onTestFinished } from "vitest";
import {
  type AlertEvent,
  type AlertStream,
  type AlertStreamOptions,
  type ConnectionState,
  createAlertStream,
} from "../src/index.ts";

const PATIENCE_MS = 10_000;

/** Wait until something is true, and say what was not when it does not become so. */
export async function until(condition: () => unknown, patienceMs = PATIENCE_MS): Promise<void> {
  const end = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface Watched {
  stream: AlertStream;
  events: AlertEvent[];
  states: ConnectionState[];
  phases(): string[];
  ids(): string[];
  phase(phase: ConnectionState["phase"]): Promise<ConnectionState>;
}

/** What a test says of a stream; the rest is a nurse's token and bed-1. */
export interface Watching
  extends Partial<Pick<AlertStreamOptions, "auth" | "baseUrl" | "share" | "silenceMs" | "storage">> {
  role?: string;
  patientId?: string;
  all?: true;
  caregiver?: true;
}

/** A stream that is closed when the test is over, with everything that it has told. */
export function watch(options: Watching): Watched {
  const audience = "role" in options || "caregiver" in options ? {} : { role: "nurse", patientId: "bed-1" };
  const given = { auth: () => "token", ...audience, ...options };
  const stream = createAlertStream(given as AlertStreamOptions);
  const events: AlertEvent[] = [];
  const states: ConnectionState[] = [stream.state];
  stream.on("event", (event) => events.push(event));
  stream.on("state", (state) => states.push(state));
  onTestFinished(async () => {
    stream.close();
    await until(() => stream.state.phase === "stopped");
  });
  return {
    stream,
    events,
    states,
    phases: () => states.map((state) => state.phase),
    ids: () => [...stream.alerts.keys()].sort(),
    phase: async (phase) => {
      await until(() => stream.state.phase === phase);
      return stream.state;
    },
  };
}
