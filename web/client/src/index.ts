export { type Acknowledgement, acknowledge, resolve } from "./acknowledge.ts";
export {
  type AlertStream,
  type AlertStreamEvents,
  type AlertStreamOptions,
  type CursorStorage,
  createAlertStream,
} from "./alert-stream.ts";
export { call, type InputOf, type Method, type OutputOf, type PathOf } from "./call.ts";
export { type Auth, type Connection, Refused, serverNow } from "./connection.ts";
export type { AlertMap } from "./open-alerts.ts";
export type { components, paths } from "./openapi.ts";
export type * from "./types.ts";
export {
  type Beats,
  createVitalsSocket,
  type Numeric,
  type Skipped,
  type VitalsFrame,
  type VitalsSocket,
  type VitalsSocketOptions,
  type Waveform,
} from "./vitals-socket.ts";
