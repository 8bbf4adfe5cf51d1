import type { ReactNode } from "react";
import { NumberGrid } from "../vitals/NumberGrid.tsx";
import { Waveform } from "../vitals/Waveform.tsx";

/** Everything about one patient. */
export function PatientPage({ patientId }: { patientId: string }): ReactNode {
  return (
    <>
      <h1>{patientId}</h1>
      <NumberGrid patientId={patientId} />
      <Waveform patientId={patientId} type="ecg" height={140} />
      <Waveform patientId={patientId} type="pleth" height={96} />
      <Waveform patientId={patientId} type="resp_wave" height={80} />
    </>
  );
}
