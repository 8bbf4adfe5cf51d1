import { useQuery } from "@tanstack/react-query";
import { type components, useCall } from "@tocsin/react";
import { useMemo } from "react";
import { type Bounds, innermost } from "./limits.ts";

export type PatientLimits = components["schemas"]["PatientLimits"];

const PATH = "/api/v1/patients/{patientId}/limits";
const MINUTE_MS = 60_000;

/** What the limits of a patient are kept as, for those who change them. */
export function limitsKey(patientId: string): string[] {
  return [PATH, patientId];
}

/** The limits in force for a patient, asked for at most once a minute. */
export function useLimits(patientId: string): { limits: PatientLimits | undefined; isError: boolean } {
  const call = useCall();
  const { data, isError } = useQuery({
    queryKey: limitsKey(patientId),
    queryFn: ({ signal }) => call("get", PATH, { path: { patientId }, signal }),
    staleTime: MINUTE_MS,
    refetchInterval: MINUTE_MS,
  });
  return { limits: data, isError };
}

const NONE: ReadonlyMap<string, Bounds> = new Map();

/** The innermost limits of each vital sign of a patient. */
export function useBounds(patientId: string): ReadonlyMap<string, Bounds> {
  const { limits } = useLimits(patientId);
  return useMemo(() => (limits ? innermost(limits.limits) : NONE), [limits]);
}
