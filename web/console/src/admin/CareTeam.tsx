import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type components, useCall } from "@tocsin/react";
import { type ReactNode, useState } from "react";
import { Answer } from "../design/Answer.tsx";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Dialog } from "../design/Dialog.tsx";
import { Empty } from "../design/Empty.tsx";
import { Table } from "../design/Table.tsx";
import { useToast } from "../design/Toast.tsx";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import type { Patient } from "../ward/patients.ts";
import style from "./Admin.module.css";
import { refusalOf } from "./refusal.ts";
import { UserPicker } from "./UserPicker.tsx";

type Member = components["schemas"]["Member"];

interface Change {
  userId: string;
  name: string;
  isMember: boolean;
}

/** The care team of one patient: who stands on it, and since when; adding and removing. */
export function CareTeam({ patient }: { patient: Patient }): ReactNode {
  const strings = useStrings();
  const { admin, roles } = strings;
  const texts = admin.careTeams;
  const format = useFormats();
  const call = useCall();
  const say = useToast();
  const queries = useQueryClient();
  const [leaving, setLeaving] = useState<Member>();
  const queryKey = ["/api/v1/patients", patient.id, "care-team"];
  const team = useQuery({
    queryKey,
    queryFn: ({ signal }) =>
      call("get", "/api/v1/patients/{patientId}/care-team", { path: { patientId: patient.id }, signal }),
  });
  const change = useMutation({
    mutationFn: ({ userId, isMember }: Change) =>
      call(isMember ? "put" : "delete", "/api/v1/patients/{patientId}/care-team/{userId}", {
        path: { patientId: patient.id, userId },
      }),
    onSuccess: async (_, { name, isMember }) => {
      say(isMember ? texts.added(name) : texts.removed(name));
      setLeaving(undefined);
      await queries.invalidateQueries({ queryKey });
    },
  });
  const { whole } = refusalOf(change.error, {}, {}, strings);
  return (
    <Answer query={team}>
      {({ members }) => (
        <>
          <div className={style.pick}>
            <UserPicker
              label={texts.add}
              value={undefined}
              without={members.map((it) => it.userId)}
              onChoose={(user) => user && change.mutate({ userId: user.id, name: user.name, isMember: true })}
            />
          </div>
          {whole && <Banner kind="wrong">{whole}</Banner>}
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
                { head: texts.since, cell: (member) => format.moment(member.grantedAt) },
                {
                  head: texts.remove,
                  kind: "action",
                  cell: (member) => (
                    <Button aria-label={texts.removeWhich(member.name)} onClick={() => setLeaving(member)}>
                      {texts.remove}
                    </Button>
                  ),
                },
              ]}
            />
          )}
          {leaving && (
            <Dialog title={texts.sure(leaving.name, patient.name)} onClose={() => setLeaving(undefined)}>
              <p>{texts.sureHint}</p>
              {whole && <Banner kind="wrong">{whole}</Banner>}
              <div className={style.buttons}>
                <Button onClick={() => setLeaving(undefined)}>{admin.cancel}</Button>
                <Button
                  kind="danger"
                  aria-disabled={change.isPending}
                  onClick={() => change.mutate({ userId: leaving.userId, name: leaving.name, isMember: false })}
                >
                  {texts.remove}
                </Button>
              </div>
            </Dialog>
          )}
        </>
      )}
    </Answer>
  );
}
