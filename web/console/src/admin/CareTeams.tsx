import type { ReactNode } from "react";
import { goTo, useQueryOfAddress } from "../app/address.ts";
import { Answer } from "../design/Answer.tsx";
import { Combobox } from "../design/Combobox.tsx";
import { Empty } from "../design/Empty.tsx";
import { useStrings } from "../strings/index.tsx";
import { usePatients } from "../ward/patients.ts";
import style from "./Admin.module.css";
import { CareTeam } from "./CareTeam.tsx";

/** Who stands on which patient's care team; the patient is in the address. */
export function CareTeams(): ReactNode {
  const { admin } = useStrings();
  const texts = admin.careTeams;
  const patients = usePatients();
  const patientId = useQueryOfAddress().get("patient") ?? undefined;
  return (
    <Answer query={patients}>
      {(all) => {
        const patient = all.find((it) => it.id === patientId);
        return (
          <>
            <div className={style.pick}>
              <Combobox
                label={texts.patient}
                value={patientId}
                placeholder={texts.choosePatient}
                none={admin.noMatch}
                clear={admin.clear}
                suggestions={all.map(({ id, name, unit }) => ({
                  value: id,
                  text: name,
                  detail: [id !== name && id, unit].filter(Boolean).join(" · "),
                }))}
                onChoose={(id) =>
                  goTo(id ? `/admin/care-teams?patient=${encodeURIComponent(id)}` : "/admin/care-teams")
                }
              />
            </div>
            {patient ? (
              <CareTeam key={patient.id} patient={patient} />
            ) : (
              <Empty title={patientId ? admin.patients.nobody : texts.choosePatient}>
                <p>{texts.choosePatientHint}</p>
              </Empty>
            )}
          </>
        );
      }}
    </Answer>
  );
}
