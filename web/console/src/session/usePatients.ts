import { useQuery } from "@tanstack/react-query";
import { type Call, type components, useCall } from "@tocsin/react";

export type Patient = components["schemas"]["Patient"];

export const PATIENTS_KEY = ["/api/v1/patients", "all"];

/** Every patient whom the account may see, by id. */
export function usePatients() {
  const call = useCall();
  return useQuery({ queryKey: PATIENTS_KEY, queryFn: ({ signal }) => everyPatient(call, signal), staleTime: 60_000 });
}

async function everyPatient(call: Call, signal: AbortSignal): Promise<Patient[]> {
  const patients: Patient[] = [];
  let cursor: string | null = null;
  do {
    const page: components["schemas"]["PatientPage"] = await call("get", "/api/v1/patients", {
      query: { cursor, limit: 500 },
      signal,
    });
    patients.push(...page.patients);
    cursor = page.nextCursor;
  } while (cursor);
  return patients;
}
