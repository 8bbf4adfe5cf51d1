import type { ReactNode } from "react";

export function PatientPage({ patientId }: { patientId: string }): ReactNode {
  return <h1>{patientId}</h1>;
}
