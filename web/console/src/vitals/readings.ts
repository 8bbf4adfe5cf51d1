/** PURE: what there is to show of a patient's numbers, and what not any more. */
import type { Alert, Numeric, Numerics } from "@tocsin/react";
import { foremost } from "../alarms/order.ts";
import { type Measured, standing } from "./freshness.ts";
import { SIGNS } from "./signs.ts";

/** A number as it may be shown; no value means `--`. */
export interface Reading {
  value: Numeric["value"] | undefined;
  /** In milliseconds, where it is old. */
  age: number | undefined;
}

export const MISSING: Reading = { value: undefined, age: undefined };

/** By their types; what is not there is missing. */
export type Readings = ReadonlyMap<string, Reading>;
export const NONE: Readings = new Map();

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

/** What a number says now; nothing where it is too old. */
function readingOf(numeric: Numeric, measured: Measured, seenAt: number, now: number): Reading {
  const stands = standing(measured, numeric.timestamp, seenAt, now);
  if (stands.kind === "missing") return MISSING;
  return { value: numeric.value, age: stands.kind === "old" ? stands.age : undefined };
}

/** What all of a patient's numbers say now. */
export function readingsOf(numerics: Numerics, sightings: Sightings, now: number): Readings {
  const readings = new Map<string, Reading>();
  for (const { types, measured } of SIGNS) {
    for (const type of types) {
      const numeric = numerics.get(type);
      if (numeric) readings.set(type, readingOf(numeric, measured, sightings.seenAt(numeric, now), now));
    }
  }
  return readings;
}

/** Whether both show the same. */
export function areSame(one: Readings, other: Readings): boolean {
  if (one === other) return true;
  if (one.size !== other.size) return false;
  return [...one].every(([type, { value, age }]) => {
    const reading = other.get(type);
    return reading !== undefined && reading.value === value && reading.age === age;
  });
}

/** The alarm about one of these types that has to be seen to first. */
export function foremostAbout(alerts: Iterable<Alert>, patientId: string, types: readonly string[]): Alert | undefined {
  return foremost([...alerts].filter((it) => it.patientId === patientId && types.includes(it.vitalType)));
}
