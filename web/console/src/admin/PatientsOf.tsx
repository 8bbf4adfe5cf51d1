import { useQuery } from "@tanstack/react-query";
import { Refused, useCall } from "@tocsin/react";
import { type ReactNode, useState } from "react";
import { Answer } from "../design/Answer.tsx";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Combobox } from "../design/Combobox.tsx";
import { Empty } from "../design/Empty.tsx";
import { Table } from "../design/Table.tsx";
import { useStrings } from "../strings/index.tsx";
import { patientSuggestions } from "../ward/patient-suggestions.ts";
import type { Patient } from "../ward/patients.ts";
import style from "./Admin.module.css";
import { type Leaving, RemovalDialog } from "./RemovalDialog.tsx";
import { useMembership } from "./useMembership.ts";

/** The patients on whose care teams one account stands; adding and removing. */
export function PatientsOf({ userId, patients }: { userId: string; patients: Patient[] }): ReactNode {
  const { admin, roles } = useStrings();
  const texts = admin.careTeams;
  const call = useCall();
  const [leaving, setLeaving] = useState<Leaving>();
  const theirs = useQuery({
    queryKey: ["/api/v1/users", userId, "patients"],
    queryFn: ({ signal }) => call("get", "/api/v1/users/{user_id}/patients", { path: { user_id: userId }, signal }),
  });
  const membership = useMembership(() => setLeaving(undefined));
  if (theirs.error instanceof Refused && theirs.error.status === 404) return <Empty title={admin.users.nobody} />;
  return (
    <Answer query={theirs}>
      {({ user, patientIds }) => (
        <>
          <p>
            <b>{user.name}</b> · {user.email} ·{" "}
            {user.roles.map((role) => roles[role]).join(", ") || texts.noRoleWarning}
          </p>
          <div className={style.pick}>
            <Combobox
              label={texts.addPatient}
              value={undefined}
              placeholder={texts.choosePatient}
              none={admin.noMatch}
              clear={admin.clear}
              suggestions={patientSuggestions(patients.filter(({ id }) => !patientIds.includes(id)))}
              onChoose={(patientId) =>
                patientId && membership.change({ patientId, userId, name: user.name, isMember: true })
              }
            />
          </div>
          {membership.failure && !leaving && <Banner kind="wrong">{membership.failure}</Banner>}
          {patientIds.length === 0 ? (
            <Empty title={texts.noPatients(user.name)} />
          ) : (
            <Table
              caption={texts.patientsOf(user.name)}
              rows={patients.filter(({ id }) => patientIds.includes(id))}
              keyOf={(patient) => patient.id}
              columns={[
                { head: admin.patients.name, kind: "title", cell: ({ name }) => name },
                { head: admin.patients.id, cell: ({ id }) => id },
                { head: admin.patients.unit, cell: ({ unit }) => unit },
                {
                  head: texts.remove,
                  kind: "action",
                  cell: ({ id, name }) => (
                    <Button
                      aria-label={texts.removeWhich(name)}
                      onClick={() => setLeaving({ userId, name: user.name, patientId: id, patient: name })}
                    >
                      {texts.remove}
                    </Button>
                  ),
                },
              ]}
            />
          )}
          {leaving && <RemovalDialog leaving={leaving} membership={membership} onClose={() => setLeaving(undefined)} />}
        </>
      )}
    </Answer>
  );
}
