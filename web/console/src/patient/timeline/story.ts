/** PURE: what has happened to an alert, step by step. */
import type { AlertEvent } from "@tocsin/react";
import { rankOf } from "../../alarms/priority.ts";

type Role = AlertEvent["recipients"][number];

/** One step of an alert's life. */
export type Step = { at: string } & (
  | { kind: "raised"; told: Role[] }
  | { kind: "updated"; event: AlertEvent; isWorse: boolean; isOver: boolean }
  | { kind: "escalated"; level: number; told: Role[] }
  | { kind: "acknowledged"; by: Who; status: NonNullable<AlertEvent["status"]>; note: string | null }
  /** By somebody, or by itself. */
  | { kind: "resolved"; by: Who | null; note: string | null }
);

export interface Who {
  name: string | null;
  role: Role | null;
}

/** The steps of a timeline, oldest first, each with what it has added to those before. */
export function stepsOf(timeline: readonly AlertEvent[]): Step[] {
  return timeline.map((event, i) => stepOf(event, timeline[i - 1]));
}

function stepOf(event: AlertEvent, before: AlertEvent | undefined): Step {
  const at = event.occurredAt;
  const told = event.recipients.filter((role) => !before?.recipients.includes(role));
  switch (event.event) {
    case "alert":
      return { kind: "raised", at, told };
    case "alert_updated":
      return {
        kind: "updated",
        at,
        event,
        isWorse: before !== undefined && rankOf(event.priority) < rankOf(before.priority),
        isOver: before?.conditionPresent === true && !event.conditionPresent,
      };
    case "alert_escalated":
      return { kind: "escalated", at, level: event.escalationLevel, told };
    case "alert_acknowledged":
      return {
        kind: "acknowledged",
        at,
        by: { name: event.acknowledgedByName ?? null, role: event.acknowledgedBy ?? null },
        status: event.status ?? "acknowledged",
        note: event.note ?? null,
      };
    case "alert_resolved": {
      const by = { name: event.resolvedByName ?? null, role: event.resolvedBy ?? null };
      return { kind: "resolved", at, by: by.name || by.role ? by : null, note: event.resolutionNote ?? null };
    }
  }
}
