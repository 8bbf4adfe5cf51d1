/** PURE: whose an alarm is. */
import type { Alert } from "@tocsin/react";
import { plain } from "../design/plain.ts";
import type { Strings } from "../strings/index.tsx";

type Owned = Pick<Alert, "state" | "acknowledgedBy" | "acknowledgedByName">;

/** The name and the role of who has taken it on; none where nobody has. */
export function ownerOf({ state, acknowledgedBy, acknowledgedByName }: Owned, strings: Strings): string | null {
  if (state === "active") return null;
  // What was acknowledged on this screen is shown before the server has said who that is.
  if (!acknowledgedBy) return strings.alarms.taking;
  const role = strings.roles[acknowledgedBy];
  const name = plain(acknowledgedByName ?? "");
  return name && name !== role ? `${name} (${role})` : role;
}
