/** PURE: whose alarms are whose. */
import type { Alert } from "@tocsin/react";
import { worstFirst } from "../alarms/order.ts";

/** The open alarms of each patient, worst first. */
export function byPatient(alerts: Iterable<Alert>): Map<string, Alert[]> {
  const found = new Map<string, Alert[]>();
  for (const alert of worstFirst(alerts)) {
    const of = found.get(alert.patientId);
    if (of) of.push(alert);
    else found.set(alert.patientId, [alert]);
  }
  return found;
}
