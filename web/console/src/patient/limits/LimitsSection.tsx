import { type ReactNode, useState } from "react";
import { Button } from "../../design/Button.tsx";
import { useMe } from "../../session/Session.tsx";
import { useStrings } from "../../strings/index.tsx";
import { useLimits } from "../../vitals/useLimits.ts";
import { LimitChanges } from "./LimitChanges.tsx";
import style from "./Limits.module.css";
import { LimitsForm } from "./LimitsForm.tsx";
import { LimitsTable } from "./LimitsTable.tsx";

/** The limits that hold for a patient, who has set them, and changing them. */
export function LimitsSection({ patientId }: { patientId: string }): ReactNode {
  const strings = useStrings().patient.limits;
  const { roles } = useMe();
  const { limits, isError } = useLimits(patientId);
  const [isChanging, setChanging] = useState(false);
  const [isSaved, setSaved] = useState(false);
  const maySet = roles.includes("doctor") || roles.includes("nurse");
  const mayAudit = maySet || roles.includes("admin");
  if (!limits) return <p role={isError ? "alert" : undefined}>{isError ? strings.failed : strings.loading}</p>;
  return (
    <div className={style.section} data-testid="limits">
      {isChanging ? (
        <LimitsForm
          limits={limits}
          onDone={(hasSaved) => {
            setChanging(false);
            setSaved(hasSaved);
          }}
        />
      ) : (
        <>
          <div className={style.bar}>
            <p>
              {strings.scale(limits.spo2Scale)}
              {limits.spo2ScaleSetBy && ` (${limits.spo2ScaleSetBy.name})`}
            </p>
            {maySet && (
              <Button
                onClick={() => {
                  setSaved(false);
                  setChanging(true);
                }}
              >
                {strings.change}
              </Button>
            )}
          </div>
          <p aria-live="polite" className={style.saved}>
            {isSaved && strings.saved}
          </p>
          <LimitsTable limits={limits} />
        </>
      )}
      {mayAudit && <LimitChanges patientId={patientId} />}
    </div>
  );
}
