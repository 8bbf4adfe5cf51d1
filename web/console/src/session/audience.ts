import type { AlertStreamOptions, Me } from "@tocsin/react";

/** The stream that shows everything that somebody may see; none for an account that sees no alerts. */
export function streamOf(me: Me): AlertStreamOptions | null {
  const connection = { auth: "cookie", share: me.id } as const;
  if (me.roles.includes("admin")) return { ...connection, role: "admin", all: true };
  if (me.roles.some((role) => role !== "patient" && role !== "device")) return { ...connection, caregiver: true };
  if (me.roles.includes("patient")) return { ...connection, role: "patient" };
  return null;
}
