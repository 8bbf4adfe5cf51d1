/** Taking alerts on, and closing them. */
import { backoffMs, pause } from "./backoff.ts";
import { call } from "./call.ts";
import { type Connection, Refused } from "./connection.ts";
import type { AcknowledgeStatus, Alert, AlertOutcome } from "./types.ts";

const ATTEMPTS = 4;
const BASE_MS = 500;

type Which = Pick<Alert, "alertId" | "patientId">;

export interface Acknowledgement {
  status?: AcknowledgeStatus;
  note?: string;
  signal?: AbortSignal;
}

/**
 * Take an alert on. Answers with the alert as it stands then.
 *
 * Tried again when there is no answer, since the server takes the same acknowledgement twice without harm. Throws
 * `Refused`; with status 409 somebody else was first, and `problem` says who and when.
 */
export function acknowledge(
  connection: Connection,
  alert: Which,
  { status, note, signal }: Acknowledgement = {},
): Promise<AlertOutcome> {
  const body = { ...(status && { status }), ...(note && { note }) };
  return persist(signal, () =>
    call(connection, "post", "/api/v1/alerts/alerts/{alert_id}/acknowledge", { ...which(alert), body, signal }),
  );
}

/** Close an alert by hand, whatever its readings say; tried again like an acknowledgement. */
export function resolve(
  connection: Connection,
  alert: Which,
  { note, signal }: Omit<Acknowledgement, "status"> = {},
): Promise<AlertOutcome> {
  return persist(signal, () =>
    call(connection, "post", "/api/v1/alerts/alerts/{alert_id}/resolve", {
      ...which(alert),
      body: note ? { note } : {},
      signal,
    }),
  );
}

function which({ alertId, patientId }: Which) {
  return { path: { alert_id: alertId }, query: { patient_id: patientId } };
}

async function persist<T>(signal: AbortSignal = new AbortController().signal, attempt: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      const isFinal = error instanceof Refused && error.isFinal;
      if (isFinal || signal.aborted || failures === ATTEMPTS - 1) throw error;
      await pause((error instanceof Refused ? error.retryAfterMs : 0) + backoffMs(BASE_MS, failures), signal);
    }
  }
}
