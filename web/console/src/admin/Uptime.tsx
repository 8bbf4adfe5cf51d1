import type { ReactNode } from "react";
import { span } from "../alarms/span.ts";
import { useSecond } from "../vitals/useSecond.ts";

/** For how long the server has been running. */
export function Uptime({ startedAt }: { startedAt: string }): ReactNode {
  return span(useSecond() - Date.parse(startedAt));
}
