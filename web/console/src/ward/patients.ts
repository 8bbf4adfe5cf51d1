import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { type Call, type components, useAlerts, useCall, useConnectionState, useVitals } from "@tocsin/react";
import { useCallback, useEffect, useMemo } from "react";
import { plain } from "../design/plain.ts";

export type Patient = components["schemas"]["Patient"];

const PATH = "/api/v1/patients";
const KEY = [PATH, "all"];
const PAGE = 500;
/** Who comes onto a care team and has no alarm is told by nothing else. */
const ANEW_EVERY_MS = 20_000;

/** Every patient whom the user may see, asked for anew every 20 seconds. */
export function usePatients(): UseQueryResult<Patient[]> {
  const call = useCall();
  return useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => everyPage(call, signal),
    refetchInterval: ANEW_EVERY_MS,
    staleTime: ANEW_EVERY_MS / 2,
  });
}

/** Asks for the patients also when the rights seem to have changed; once on a page is enough. */
export function useFreshPatients(): void {
  const queries = useQueryClient();
  const { phase } = useConnectionState();
  const { data } = usePatients();
  // Somebody whom the list does not know has an alarm: there is more to see than a moment ago.
  const known = new Set(data?.map(({ id }) => id));
  const strangers = [...useAlerts().values()].map(({ patientId }) => patientId).filter((id) => !known.has(id));
  const newcomers = data ? strangers.join(" ") : "";
  useEffect(() => {
    if (newcomers || phase === "live") void queries.invalidateQueries({ queryKey: KEY });
  }, [newcomers, phase, queries]);
}

/** Asks for the patients also when one's vital signs break off: who leaves a care team loses them first. */
export function useFreshAfterLoss(patientId: string): void {
  const queries = useQueryClient();
  const { phase } = useVitals(patientId).state;
  useEffect(() => {
    if (phase === "lost" || phase === "stopped") void queries.invalidateQueries({ queryKey: KEY });
  }, [phase, queries]);
}

async function everyPage(call: Call, signal: AbortSignal): Promise<Patient[]> {
  const patients: Patient[] = [];
  let cursor: string | null = null;
  do {
    const query: { limit: number; cursor: string | null } = { limit: PAGE, cursor };
    const page: { patients: Patient[]; nextCursor: string | null } = await call("get", PATH, { query, signal });
    patients.push(...page.patients.map((patient) => ({ ...patient, name: plain(patient.name) })));
    cursor = page.nextCursor;
  } while (cursor);
  return patients;
}

/** What a patient is called on this ward; the id of one who is not known yet. */
export function usePatientName(): (patientId: string) => string {
  const { data } = usePatients();
  const names = useMemo(() => new Map(data?.map(({ id, name }) => [id, name])), [data]);
  return useCallback((patientId) => names.get(patientId) ?? patientId, [names]);
}
