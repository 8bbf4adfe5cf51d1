import { type ReactNode, useState } from "react";
import { Answer } from "../design/Answer.tsx";
import { Button } from "../design/Button.tsx";
import { Empty } from "../design/Empty.tsx";
import { Field } from "../design/Field.tsx";
import { holding } from "../design/suggestions.ts";
import { Table } from "../design/Table.tsx";
import { useStrings } from "../strings/index.tsx";
import { type Patient, usePatients } from "../ward/patients.ts";
import style from "./Admin.module.css";
import { PatientForm } from "./PatientForm.tsx";

/** The patient records: found, made, and changed. */
export function Patients(): ReactNode {
  const { admin } = useStrings();
  const texts = admin.patients;
  const [typed, setTyped] = useState("");
  const [edited, setEdited] = useState<Patient | "new">();
  const patients = usePatients();
  return (
    <>
      <div className={style.bar}>
        <Field label={texts.search}>
          {(control) => (
            <input {...control} type="search" value={typed} onChange={(event) => setTyped(event.target.value)} />
          )}
        </Field>
        <Button kind="primary" onClick={() => setEdited("new")}>
          {texts.new}
        </Button>
      </div>
      <Answer query={patients}>
        {(all) => {
          const suggestions = all.map((it) => ({ ...it, value: it.id, text: it.name, detail: it.unit ?? "" }));
          const found = new Set(holding(suggestions, typed).map((it) => it.value));
          if (found.size === 0) return <Empty title={texts.nobody} />;
          return (
            <Table
              caption={texts.caption}
              rows={all.filter((it) => found.has(it.id))}
              keyOf={(patient) => patient.id}
              columns={[
                {
                  head: texts.name,
                  kind: "title",
                  cell: ({ id, name }) => <a href={`#/patients/${encodeURIComponent(id)}`}>{name}</a>,
                },
                { head: texts.id, cell: ({ id }) => id },
                { head: texts.unit, cell: ({ unit }) => unit },
                { head: texts.account, cell: ({ userId }) => userId && texts.hasAccount },
                {
                  head: admin.edit,
                  kind: "action",
                  cell: (patient) => (
                    <div className={style.links}>
                      <a
                        href={`#/admin/care-teams?patient=${encodeURIComponent(patient.id)}`}
                        aria-label={texts.careTeamOf(patient.name)}
                      >
                        {texts.careTeam}
                      </a>
                      <Button aria-label={admin.editWhich(patient.name)} onClick={() => setEdited(patient)}>
                        {admin.edit}
                      </Button>
                    </div>
                  ),
                },
              ]}
            />
          );
        }}
      </Answer>
      {edited && <PatientForm patient={edited === "new" ? undefined : edited} onClose={() => setEdited(undefined)} />}
    </>
  );
}
