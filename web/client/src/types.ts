/** The words of the API, from its OpenAPI document. */
import type { components } from "./openapi.ts";

type Schemas = components["schemas"];

/** An alert as it stands. Fields are added, never removed: ignore those that you do not know. */
export type Alert = Schemas["AlertView"];

/** One event of an alert: the alert right after it, what happened, and when. */
export type AlertEvent = Schemas["AlertEventView"];

/** An alert with everything that has happened to it, oldest first. */
export type AlertDetail = Schemas["AlertDetail"];

/** The answer to an acknowledgement or a resolution, with the alert's new state. */
export type AlertOutcome = Schemas["AlertOutcome"];

export type AcknowledgeStatus = Schemas["AcknowledgeStatus"];
export type Tier = Schemas["Tier"];
export type Priority = Alert["priority"];
export type Role = Schemas["Role"];

/** The account that is signed in. */
export type Me = Schemas["Me"];

/** An error of the API (RFC 9457), with a stable `code`. */
export type Problem = Schemas["Problem"];

/** Whose alerts a stream carries: a patient's in one role, every patient's, or those of all care teams of the caller. */
export type Audience =
  | { role: Role; patientId: string }
  | { role: "patient" }
  | { role: "admin"; all: true }
  | { caregiver: true };

/** How a connection stands. `since` is when that began, in milliseconds of the epoch. */
export type ConnectionState =
  | { phase: "connecting"; since: number }
  | { phase: "live"; since: number }
  /** It will be tried again at `retryAt`; what is shown is as old as `since`. */
  | { phase: "lost"; since: number; reason: string; retryAt: number }
  /** It will not come back by itself: the server refused, or it was closed here. */
  | { phase: "stopped"; since: number; reason: string; status?: number | undefined };
