/** PURE: who was faster, from the server's answer to an acknowledgement that came too late. */
import type { Refused, Role } from "@tocsin/react";
import type { Strings } from "../strings/index.tsx";
import { ownerOf } from "./owner.ts";
import { span } from "./span.ts";

/** `Anna Berg (nurse) was first, 0:12 ago.` */
export function firstOf(problem: Refused["problem"], now: number, strings: Strings): string {
  const { acknowledgedBy, acknowledgedByName, acknowledgedAt } = problem;
  const name = ownerOf(
    {
      state: "acknowledged",
      acknowledgedBy: acknowledgedBy as Role | null,
      acknowledgedByName: acknowledgedByName as string | null,
    },
    strings,
  );
  const at = Date.parse(String(acknowledgedAt));
  const who = name ?? strings.alarms.nobody;
  return Number.isNaN(at) ? strings.alarms.othersJustNow(who) : strings.alarms.others(who, span(now - at));
}
