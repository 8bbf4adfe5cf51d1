import { useQuery } from "@tanstack/react-query";
import { useCall } from "@tocsin/react";
import { type ReactNode, useState } from "react";
import { Answer } from "../design/Answer.tsx";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Empty } from "../design/Empty.tsx";
import { Table } from "../design/Table.tsx";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import type { Patient } from "../ward/patients.ts";
import style from "./Admin.module.css";
import { type Leaving, RemovalDialog } from "./RemovalDialog.tsx";
import { UserPicker } from "./UserPicker.tsx";
import { useMembership } from "./useMembership.ts";

/** The care team of one patient: who stands on it, and since when; adding and removing. */
export function CareTeam({ patient }: { patient: Patient }): ReactNode {
  const { admin, roles } = useStrings();
  const texts = admin.careTeams;
  const format = useFormats();
  const call = useCall();
  const [leaving, setLeaving] = useState<Leaving>();
  const patientId = patient.id;
  const team = useQuery({
    queryKey: ["/api/v1/patients", patientId, "care-team"],
    queryFn: ({ signal }) => call("get", "/api/v1/patients/{patientId}/care-team", { path: { patientId }, signal }),
  });
  const membership = useMembership(() => setLeaving(undefined));
  return (
    <Answer query={team}>
      {({ members }) => (
        <>
          <div className={style.pick}>
            <UserPicker
              label={texts.add}
              value={undefined}
              without={members.map((it) => it.userId)}
              onChoose={(user) =>
                user && membership.change({ patientId, userId: user.id, name: user.name, isMember: true })
              }
            />
          </div>
          {membership.failure && !leaving && <Banner kind="wrong">{membership.failure}</Banner>}
          {members.length === 0 ? (
            <Empty title={texts.empty} />
          ) : (
            <Table
              caption={texts.caption(patient.name)}
              rows={members}
              keyOf={(member) => member.userId}
              columns={[
                { head: texts.name, kind: "title", cell: (member) => member.name },
                { head: admin.users.email, cell: (member) => member.email },
                {
                  head: texts.roles,
                  cell: (member) => member.roles.map((role) => roles[role]).join(", ") || texts.noRoleWarning,
                },
                { head: texts.since, cell: (member) => format.day(member.grantedAt) },
                {
                  head: texts.remove,
                  kind: "action",
                  cell: ({ userId, name }) => (
                    <Button
                      aria-label={texts.removeWhich(name)}
                      onClick={() => setLeaving({ userId, name, patientId, patient: patient.name })}
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
