/** PURE: alarms as a table that spreadsheets open (RFC 4180). */
import type { Alert } from "@tocsin/react";
import { messageOf } from "../alarms/message.ts";
import type { Strings } from "../strings/index.tsx";

const END = "\r\n";

/** Without it, a spreadsheet reads UTF-8 as something else. */
const BYTE_ORDER_MARK = "\ufeff";

type Row = Record<keyof Strings["history"]["csv"]["columns"], string | number | null | undefined>;

/** The alarms, each in a row, under their columns. */
export function csvOf(alerts: Alert[], nameOf: (patientId: string) => string, strings: Strings): string {
  const { columns, separator } = strings.history.csv;
  const keys = Object.keys(columns) as (keyof Row)[];
  const rows = alerts.map((alert) => rowOf(alert, nameOf, strings));
  const lines = [keys.map((key) => columns[key]), ...rows.map((row) => keys.map((key) => row[key]))];
  return (
    BYTE_ORDER_MARK + lines.map((cells) => cells.map((it) => cellOf(it, separator)).join(separator) + END).join("")
  );
}

function rowOf(alert: Alert, nameOf: (patientId: string) => string, strings: Strings): Row {
  const { history, roles } = strings;
  return {
    alertId: alert.alertId,
    patientId: alert.patientId,
    patient: nameOf(alert.patientId),
    message: messageOf(alert, strings),
    priority: alert.priority,
    kind: history.kinds[alert.kind],
    condition: alert.condition,
    state: history.states[alert.state],
    raisedAt: alert.timestamp,
    acknowledgedAt: alert.acknowledgedAt,
    secondsUntilAcknowledged: secondsBetween(alert.timestamp, alert.acknowledgedAt),
    acknowledgedBy: alert.acknowledgedByName,
    acknowledgedAs: alert.acknowledgedBy && roles[alert.acknowledgedBy],
    status: alert.status && history.statuses[alert.status],
    note: alert.note,
    resolvedAt: alert.resolvedAt,
    secondsOpen: secondsBetween(alert.timestamp, alert.resolvedAt),
    resolvedBy: alert.resolvedByName,
    resolutionNote: alert.resolutionNote,
    escalationLevel: alert.escalationLevel,
  };
}

function secondsBetween(start: string, end: string | null | undefined): number | undefined {
  return end ? Math.round((Date.parse(end) - Date.parse(start)) / 1000) : undefined;
}

/** A value that a spreadsheet takes for what it is: quoted where needed, and never run as a formula. */
export function cellOf(value: string | number | null | undefined, separator: string): string {
  if (value == null) return "";
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  const needsQuotes = /["\r\n]/.test(text) || text.includes(separator);
  return needsQuotes ? `"${text.replaceAll('"', '""')}"` : text;
}
