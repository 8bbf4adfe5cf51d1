/** Taking alerts on, and closing them. */
import { backoffMs, pause } from "./backoff.ts";
import { call } from "./call.ts";
import { type Connection, Refused } from "./connection.ts";
import type { AcknowledgeStatus, Alert, AlertOutcome } from "./types.ts";

const ATTEMPTS = 4;
const BASE_MS = 500;

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
export function acknowledge(connection: Connection, alert: Which, how: Acknowledgement = {}): Promise<AlertOutcome> {
  return persist(connection, "acknowledge", alert, how);
}

/** Close an alert by hand, whatever its readings say; tried again like an acknowledgement. */
export function resolve(
  connection: Connection,
  alert: Which,
  how: Omit<Acknowledgement, "status"> = {},
): Promise<AlertOutcome> {
  return persist(connection, "resolve", alert, how);
}

type Which = Pick<Alert, "alertId" | "patientId">;

async function persist(
  connection: Connection,
  what: "acknowledge" | "resolve",
  { alertId, patientId }: Which,
  { signal, ...body }: Acknowledgement,
): Promise<AlertOutcome> {
  const input = { path: { alert_id: alertId }, query: { patient_id: patientId }, body, signal };
  for (let failures = 0; ; failures++) {
    try {
      return await call(connection, "post", `/api/v1/alerts/alerts/{alert_id}/${what}`, input);
    } catch (error) {
      const refused = error instanceof Refused ? error : undefined;
      if (refused?.isFinal || signal?.aborted || failures === ATTEMPTS - 1) throw error;
      await pause((refused?.retryAfterMs ?? 0) + backoffMs(BASE_MS, failures), signal);
    }
  }
}
