/** PURE: what there is to show of a patient's numbers, and what not any more. */
import type { Alert, Numeric } from "@tocsin/react";
import { rankOf } from "../alarms/priority.ts";
import { type Measured, standing } from "./freshness.ts";

/** A number as it may be shown; no value means `--`. */
export interface Reading {
  value: Numeric["value"] | undefined;
  /** In milliseconds, where it is old. */
  age: number | undefined;
}

export const MISSING: Reading = { value: undefined, age: undefined };

/** When a number was first seen by this page, by the server's clock. */
export class Sightings {
  #seenAt = new WeakMap<Numeric, number>();

  seenAt(numeric: Numeric, now: number): number {
    const known = this.#seenAt.get(numeric);
    if (known !== undefined) return known;
    this.#seenAt.set(numeric, now);
    return now;
  }
}

/** What a number says now; nothing where it is too old, or where there is none. */
export function readingOf(numeric: Numeric | undefined, measured: Measured, seenAt: number, now: number): Reading {
  if (!numeric) return MISSING;
  const stands = standing(measured, numeric.timestamp, seenAt, now);
  if (stands.kind === "missing") return MISSING;
  return { value: numeric.value, age: stands.kind === "old" ? stands.age : undefined };
}

/** The worst open alert about one of these types: untaken before taken ones of the same priority. */
export function worstAbout(alerts: Iterable<Alert>, patientId: string, types: readonly string[]): Alert | undefined {
  let worst: Alert | undefined;
  const rank = (it: Alert) => 2 * rankOf(it.priority) + (it.state === "active" ? 0 : 1);
  for (const alert of alerts) {
    if (alert.patientId !== patientId || alert.state === "resolved" || !types.includes(alert.vitalType)) continue;
    if (!worst || rank(alert) < rank(worst)) worst = alert;
  }
  return worst;
}
