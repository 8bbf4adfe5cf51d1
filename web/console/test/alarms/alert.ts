/** An alert to begin with: a saturation that is too low, and that nobody has taken on. */
import type { Alert } from "@tocsin/react";

export const NOW = Date.parse("2026-01-02T03:04:05Z");

export function alert(changes: Partial<Alert> = {}): Alert {
  return {
    alertId: "a1",
    tier: "critical",
    priority: "high",
    patientId: "bed-3",
    vitalType: "spo2",
    vitalsWindow: [81, 79],
    unit: "%",
    threshold: { min: 80 },
    reasons: ["spo2 below 80"],
    recipients: ["nurse"],
    condition: "spo2_low",
    kind: "physiological",
    state: "active",
    conditionPresent: true,
    signal: "on",
    responsibility: "undefined",
    escalationLevel: 0,
    nextEscalationAt: null,
    timestamp: new Date(NOW).toISOString(),
    context: null,
    source: "rules",
    ...changes,
  };
}

/** So many milliseconds before or after `NOW`, as the wire has it. */
export function at(milliseconds: number): string {
  return new Date(NOW + milliseconds).toISOString();
}
