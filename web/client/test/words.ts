/** What a server says on an event stream, as text. */
import type { Alert } from "../src/index.ts";

export const EPOCH = "e0";

export const id = (seq: number) => `${EPOCH}-${seq}`;

/** `retry` is short, so that tests do not wait. */
export function opened(recovered: boolean, seq = 0): string {
  return `retry: 5\nevent: stream.opened\ndata: ${JSON.stringify({ epoch: EPOCH, cursor: id(seq), recovered })}\n\n`;
}

export function scope(patientIds: string[] | null, roles: string[]): string {
  return `event: stream.scope\ndata: ${JSON.stringify({ patientIds, roles })}\n\n`;
}

export function ready(seq: number): string {
  return `id: ${id(seq)}\nevent: stream.ready\ndata: ${JSON.stringify({ cursor: id(seq), sent: 0 })}\n\n`;
}

export function closing(reason: string, retryMs = 5): string {
  return `event: stream.closing\ndata: ${JSON.stringify({ reason, retryMs })}\n\n`;
}

export const keepalive = (seq: number) => `id: ${id(seq)}\n: keepalive\n\n`;

/** An alert as far as the client looks at it. */
export function alert(alertId: string, changes: Partial<Alert> = {}): Alert {
  return { alertId, patientId: "bed-1", state: "active", recipients: ["nurse"], tier: "moderate", ...changes } as Alert;
}

/** An event of an alert: live or replayed where it has a number, of a snapshot where it has none. */
export function told(about: Alert, seq?: number, event = "alert"): string {
  return `${seq === undefined ? "" : `id: ${id(seq)}\n`}data: ${JSON.stringify({ event, ...about })}\n\n`;
}
