/** PURE: which alarms are looked for, as it stands in the address and as the API is asked. */
import type { Alert, Tier } from "@tocsin/react";

export const STATES = ["open", "active", "acknowledged", "resolved"] as const;
export const TIERS = ["critical", "moderate", "slight"] as const satisfies readonly Tier[];
export const KINDS = ["physiological", "technical", "advisory"] as const satisfies readonly Alert["kind"][];
const SPANS_MS = { "1h": 3_600_000, "24h": 24 * 3_600_000, "7d": 7 * 24 * 3_600_000 };

export type Span = keyof typeof SPANS_MS;
export const SPANS = Object.keys(SPANS_MS) as Span[];

/** What is left out lets everything through. */
export interface Filter {
  patient?: string;
  state?: (typeof STATES)[number];
  tier?: Tier;
  kind?: Alert["kind"];
  /** The last so many hours, or a day (`2026-01-31`) from whose beginning on. */
  since?: string;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Read a filter from the query of an address, without what makes no sense. */
export function filterFrom(query: URLSearchParams): Filter {
  const filter: Filter = {};
  const patient = query.get("patient");
  if (patient) filter.patient = patient;
  const state = STATES.find((it) => it === query.get("state"));
  if (state) filter.state = state;
  const tier = TIERS.find((it) => it === query.get("tier"));
  if (tier) filter.tier = tier;
  const kind = KINDS.find((it) => it === query.get("kind"));
  if (kind) filter.kind = kind;
  const since = query.get("since") ?? "";
  if (isSpan(since) || startOf(since) !== undefined) filter.since = since;
  return filter;
}

/** The address of the history with a filter, and the alarm that is open in it. */
export function addressOf(filter: Filter, alertId?: string): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value);
  if (alertId) query.set("alert", alertId);
  return query.size ? `/history?${query}` : "/history";
}

/** What the API is asked, at a time: spans end now. */
export function questionOf({ patient, state, tier, kind, since = "" }: Filter, now: number) {
  const start = isSpan(since) ? now - SPANS_MS[since] : startOf(since);
  return {
    patient_id: patient ?? null,
    state: state ?? null,
    tier: tier ?? null,
    kind: kind ?? null,
    since: start === undefined ? null : new Date(start).toISOString(),
  };
}

export type Question = ReturnType<typeof questionOf>;

export function isSpan(since: string): since is Span {
  return Object.hasOwn(SPANS_MS, since);
}

/** When a day begins where this screen is; nothing for what is no day. */
function startOf(day: string): number | undefined {
  const time = DAY.test(day) ? new Date(`${day}T00:00`).getTime() : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
