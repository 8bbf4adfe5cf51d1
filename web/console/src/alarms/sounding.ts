/** PURE: which alarm is heard now, and what an audio pause does to it. */
import type { Alert, Priority } from "@tocsin/react";
import { PRIORITIES, rankOf } from "./priority.ts";

/**
 * An acknowledged alarm whose condition goes on is heard again after so long, and every time after that: two to three
 * minutes, as alarm systems with inactivated signals do (reminder signals, IEC 60601-1-8:2006, 6.8.1).
 */
export const REMIND_AFTER_MS = 150_000;

/** Long enough for the longest burst, and over before the next. */
const REMINDER_LASTS_MS = 6_000;

/** Nobody may silence a ward for longer. */
export const LONGEST_PAUSE_MS = 120_000;

/** What is heard: the worst priority, or that the connection to the alarms is lost. */
export type Tone = Priority | "lost";

export interface Pause {
  until: number;
  /** The worst that was to be heard when it began; what is worse than that ends it. */
  heard: Tone | null;
}

type Heard = Pick<Alert, "kind" | "signal" | "state" | "priority" | "conditionPresent" | "status" | "acknowledgedAt">;

/**
 * The tone of the worst alarm that nobody has taken on; one tone, however many there are.
 *
 * A latched alarm sounds on: its condition is gone, and nobody has seen that it was there.
 */
export function toneOf(alerts: Iterable<Heard>, isLost: boolean): Tone | null {
  return isLost ? "lost" : worst(alerts, sounds);
}

/** The tone of the worst alarm that was taken on long ago and goes on: one burst every now and then. */
export function reminderOf(alerts: Iterable<Heard>, now: number): Tone | null {
  return worst(alerts, (alert) => reminds(alert, now));
}

/** Whether it is two to three minutes, or a multiple of it, since somebody took on what has not ended. */
export function reminds({ kind, state, status, conditionPresent, acknowledgedAt }: Heard, now: number): boolean {
  // Who looked, and said that it is false, is not asked again and again.
  if (kind === "advisory" || state !== "acknowledged" || status === "false_alarm") return false;
  if (!conditionPresent || !acknowledgedAt) return false;
  const since = now - Date.parse(acknowledgedAt);
  return since >= REMIND_AFTER_MS && since % REMIND_AFTER_MS < REMINDER_LASTS_MS;
}

function sounds({ kind, signal, state }: Heard): boolean {
  return kind !== "advisory" && state === "active" && (signal === "on" || signal === "latched");
}

function worst(alerts: Iterable<Heard>, counts: (alert: Heard) => boolean): Priority | null {
  let found: Priority | null = null;
  for (const alert of alerts) {
    const rank = rankOf(alert.priority);
    if (counts(alert) && (found === null || rank < rankOf(found))) found = PRIORITIES[rank] ?? found;
  }
  return found;
}

/** Begin a pause; what is heard now is silent for two minutes. */
export function pauseFrom(now: number, heard: Tone | null): Pause {
  return { until: now + LONGEST_PAUSE_MS, heard };
}

/** The pause as it goes on; null once its time is over, or something worse than at its begin is to be heard. */
export function goOn(pause: Pause | null, tone: Tone | null, now: number): Pause | null {
  if (!pause || now >= pause.until) return null;
  return loudness(tone) > loudness(pause.heard) ? null : pause;
}

/** The worse of two tones. */
export function loudest(one: Tone | null, other: Tone | null): Tone | null {
  return loudness(other) > loudness(one) ? other : one;
}

/** Worse is more; a lost connection is the worst, since it may hide anything. */
function loudness(tone: Tone | null): number {
  if (tone === null) return 0;
  return tone === "lost" ? 4 : 3 - rankOf(tone);
}
