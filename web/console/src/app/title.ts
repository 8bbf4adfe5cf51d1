/** PURE: the title of the page, which is all that is seen of a tab that nobody looks at. */
import type { Alert } from "@tocsin/react";
import { messageOf } from "../alarms/message.ts";
import { foremost } from "../alarms/order.ts";
import { symbolOf } from "../alarms/priority.ts";
import type { Strings } from "../strings/index.tsx";

/**
 * `(2) *** SpO₂ 79 < 80 % · bed-3`, and without a connection nothing but that.
 *
 * Without the patient's name: browsers keep titles in their history, and some carry it from one machine to the next.
 */
export function titleOf(alerts: readonly Alert[], isStale: boolean, strings: Strings): string {
  const { name, connection } = strings.app;
  if (isStale) return `!!! ${connection.title}`;
  const worst = foremost(alerts);
  if (!worst) return name;
  return `(${alerts.length}) ${symbolOf(worst)} ${messageOf(worst, strings)} · ${worst.patientId}`;
}
