/** PURE: what an alarm says: what is measured, and against which limit. */
import type { Alert } from "@tocsin/react";
import { plain } from "../design/plain.ts";
import type { Strings } from "../strings/index.tsx";

type Told = Pick<
  Alert,
  "condition" | "kind" | "vitalType" | "vitalsWindow" | "threshold" | "unit" | "reasons" | "context"
>;

/** `SpO₂ 79 < 80 %`; where it is not about a limit, what has been found. */
export function messageOf(alert: Told, strings: Strings): string {
  // What the server raises itself is called `lead_off:ecg:II`: what is wrong, with what, and where.
  const [name = "", subject = "", lead = ""] = alert.condition.split(":");
  const told = own(strings.alarms.conditions, name);
  if (told)
    return told(signName(subject && name === "lead_off" ? subject : alert.vitalType, strings), leadOf(alert, lead));
  return againstLimit(alert, strings) ?? reasonsOf(alert, strings);
}

/** What the rules gave as reasons, in full: for those who want to know more than the message says. */
export function reasonsOf({ reasons, vitalType }: Told, strings: Strings): string {
  const told = reasons.filter((it) => !isBlank(it)).map((it) => readably(plain(it), strings));
  return told.join("; ") || signName(vitalType, strings);
}

/** The short name of what was measured; one that is not known is shown as it was sent. */
export function signName(type: string, { alarms: { signs } }: Strings): string {
  return own(signs, type) ?? plain(type).replaceAll("_", " ");
}

function againstLimit(alert: Told, strings: Strings): string | undefined {
  const value = alert.vitalsWindow.at(-1);
  const { min, max } = alert.threshold ?? {};
  if (value === undefined) return undefined;
  const unit = unitName(alert.unit);
  const show = (comparison: string, limit: number) =>
    `${signName(alert.vitalType, strings)} ${number(value, strings)} ${comparison} ${number(limit, strings)} ${unit}`.trimEnd();
  if (min != null && value < min) return show("<", min);
  if (max != null && value > max) return show(">", max);
  return undefined;
}

/** Units as they are written on a ward; the wire has those of UCUM. */
export function unitName(unit: string | null): string {
  if (unit === "Cel") return "°C";
  return plain(unit ?? "");
}

function number(value: number, { alarms: { decimalPoint } }: Strings): string {
  // A value from elsewhere may be so large that ten times as much is infinite.
  const rounded = Math.round(value * 10) / 10;
  return String(Number.isFinite(rounded) ? rounded : value).replace(".", decimalPoint);
}

/** The types of vital signs in a reason, by the names that people know them by. */
function readably(reason: string, strings: Strings): string {
  return reason.replaceAll(/\b[a-z][a-z0-9]*(_[a-z0-9]+)*\b/g, (word) => own(strings.alarms.signs, word) ?? word);
}

function leadOf({ context }: Told, inCondition: string): string {
  const named = context?.lead;
  return typeof named === "string" ? plain(named) : inCondition;
}

/** Whether there is nothing to be seen of a text, such as spaces that have no width. */
function isBlank(text: string): boolean {
  return /^[\p{Cf}\s]*$/u.test(text);
}

/** Other systems choose their words freely, `constructor` too: only what the table itself has counts. */
function own<T>(table: Record<string, T>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
