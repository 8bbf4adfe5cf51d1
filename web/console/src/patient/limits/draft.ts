/** PURE: limits of a patient while somebody changes them. */
import type { components, Problem } from "@tocsin/react";
import type { PatientLimits } from "../../vitals/useLimits.ts";

export type LimitInForce = components["schemas"]["LimitInForce"];
type LimitsInput = components["schemas"]["PatientLimitsInput"];

/** What is written in each field, by the key of its limit; nothing where the unit's or the rules' limit is to hold. */
export interface Draft {
  limits: Readonly<Record<string, string>>;
  spo2Scale: number;
  reason: string;
}

/** What is wrong with a draft: by the keys of limits, `reason`, or `form` for all of it. */
export type DraftErrors = Readonly<Record<string, string>>;

/** Tells one limit from all others of a patient. */
export function keyOf({ condition, tier }: Pick<LimitInForce, "condition" | "tier">): string {
  return `${condition} ${tier}`;
}

/** The patient's own limits, as they stand. */
export function draftOf({ limits, spo2Scale }: PatientLimits, decimalPoint: string): Draft {
  const own = limits.filter(({ source }) => source === "patient");
  return {
    limits: Object.fromEntries(own.map((it) => [keyOf(it), writtenLimit(it.limit, decimalPoint)])),
    spo2Scale,
    reason: "",
  };
}

/** A limit as it is written: with as many digits as it has. */
export function writtenLimit(limit: number, decimalPoint: string): string {
  return String(limit).replace(".", decimalPoint);
}

/** The number that somebody has written, with a point or a comma; none for what is no number. */
export function readLimit(text: string): number | undefined {
  const trimmed = text.trim().replace(",", ".");
  return /^\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : undefined;
}

/** What the server is asked to set; the order of `limits` is that in which it names the wrong ones. */
export function bodyOf(draft: Draft, { limits, version }: PatientLimits): LimitsInput {
  return {
    limits: limits.flatMap((it) => {
      const limit = readLimit(draft.limits[keyOf(it)] ?? "");
      return limit === undefined ? [] : [{ condition: it.condition, tier: it.tier, limit }];
    }),
    spo2Scale: draft.spo2Scale,
    reason: draft.reason.trim(),
    version,
  };
}

/** What can be told before the server is asked. */
export function errorsOf(draft: Draft, texts: { notANumber: string; reasonMissing: string }): DraftErrors {
  const errors: Record<string, string> = {};
  for (const [key, text] of Object.entries(draft.limits)) {
    if (text.trim() && readLimit(text) === undefined) errors[key] = texts.notANumber;
  }
  if (!draft.reason.trim()) errors.reason = texts.reasonMissing;
  return errors;
}

/** The server's objections, each at its field. */
export function refusalsOf(problem: Partial<Problem>, sent: LimitsInput): DraftErrors {
  const errors: Record<string, string> = {};
  const objections = problem.errors ?? [];
  for (const { field, message } of objections) {
    const limit = sent.limits[Number(/\blimits[.[](\d+)/.exec(field)?.[1] ?? -1)];
    const place = limit ? keyOf(limit) : /\breason$/.test(field) ? "reason" : "form";
    errors[place] = errors[place] ? `${errors[place]}; ${message}` : message;
  }
  if (objections.length === 0) errors.form = problem.detail ?? problem.title ?? "";
  return errors;
}

/** Whether a draft would change anything. */
export function hasChanges(draft: Draft, limits: PatientLimits): boolean {
  const before = draftOf(limits, ".");
  const numbers = (of: Draft) =>
    limits.limits.map((it) => readLimit(of.limits[keyOf(it)] ?? "")).join(" ") + of.spo2Scale;
  return numbers(draft) !== numbers(before);
}
