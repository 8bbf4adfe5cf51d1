import type { ReactNode } from "react";
import { goTo, useQueryOfAddress } from "../app/address.ts";
import { Answer } from "../design/Answer.tsx";
import { Combobox } from "../design/Combobox.tsx";
import { Empty } from "../design/Empty.tsx";
import { useStrings } from "../strings/index.tsx";
import { patientSuggestions } from "../ward/patient-suggestions.ts";
import { usePatients } from "../ward/patients.ts";
import style from "./Admin.module.css";
import { CareTeam } from "./CareTeam.tsx";
import { PatientsOf } from "./PatientsOf.tsx";
import { UserPicker } from "./UserPicker.tsx";

const PATH = "/admin/care-teams";

/** Who stands on which patient's care team, from either side; whose it is stands in the address. */
export function CareTeams(): ReactNode {
  const { admin } = useStrings();
  const texts = admin.careTeams;
  const patients = usePatients();
  const query = useQueryOfAddress();
  const patientId = query.get("patient") ?? undefined;
  const userId = query.get("user") ?? undefined;
  const open = (side: "patient" | "user", id: string | undefined) =>
    goTo(id ? `${PATH}?${new URLSearchParams({ [side]: id })}` : PATH);
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
                suggestions={patientSuggestions(all)}
                onChoose={(id) => open("patient", id)}
              />
              <UserPicker label={texts.user} value={userId} onChoose={(user) => open("user", user?.id)} />
            </div>
            {patient && <CareTeam key={patient.id} patient={patient} />}
            {!patient && userId && <PatientsOf key={userId} userId={userId} patients={all} />}
            {!patient && !userId && (
              <Empty title={patientId ? admin.patients.nobody : texts.choose}>
                <p>{texts.chooseHint}</p>
              </Empty>
            )}
          </>
        );
      }}
    </Answer>
  );
}
