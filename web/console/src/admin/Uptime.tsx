import type { ReactNode } from "react";
import { span } from "../alarms/span.ts";
import { useNow } from "../app/now.ts";

/** For how long the server has been running. */
export function Uptime({ startedAt }: { startedAt: string }): ReactNode {
  return span(useNow() - Date.parse(startedAt));
}
