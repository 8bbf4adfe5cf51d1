import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useCall } from "@tocsin/react";
import { type FormEvent, type ReactNode, useState } from "react";
import { Dialog } from "../design/Dialog.tsx";
import { Field } from "../design/Field.tsx";
import { useToast } from "../design/Toast.tsx";
import { useStrings } from "../strings/index.tsx";
import type { Patient } from "../ward/patients.ts";
import style from "./Admin.module.css";
import { FormEnd } from "./FormEnd.tsx";
import { refusalOf } from "./refusal.ts";
import { UserPicker } from "./UserPicker.tsx";

/** Making a patient record, or changing one. */
export function PatientForm({ patient, onClose }: { patient: Patient | undefined; onClose: () => void }): ReactNode {
  const strings = useStrings();
  const { admin } = strings;
  const texts = admin.patients;
  const call = useCall();
  const say = useToast();
  const queries = useQueryClient();
  const [id, setId] = useState("");
  const [name, setName] = useState(patient?.name ?? "");
  const [unit, setUnit] = useState(patient?.unit ?? "");
  const [userId, setUserId] = useState<string>();

  const save = useMutation({
    mutationFn: () =>
      patient
        ? call("patch", "/api/v1/patients/{patientId}", {
            path: { patientId: patient.id },
            body: { name, unit: unit.trim() || null },
          })
        : call("post", "/api/v1/patients", {
            body: { id: id.trim(), name: name.trim() || null, unit: unit.trim() || null, userId: userId ?? null },
          }),
    onSuccess: async (saved) => {
      say(patient ? texts.saved(saved.name) : texts.created(saved.name));
      onClose();
      await queries.invalidateQueries({ queryKey: ["/api/v1/patients"] });
    },
  });
  const { fields, whole } = refusalOf(
    save.error,
    { id: texts.idWrong, name: admin.users.nameWrong, unit: texts.unitWrong, userId: admin.noMatch },
    {
      patient_exists: ["id", texts.idTaken],
      user_has_patient_record: ["userId", texts.accountTaken],
      unknown_user: ["userId", admin.noMatch],
    },
    strings,
  );

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!save.isPending) save.mutate();
  };
  return (
    <Dialog title={patient ? texts.edit : texts.new} onClose={onClose}>
      <form onSubmit={submit} className={style.form} noValidate>
        {patient ? (
          <p className={style.subject}>{patient.id}</p>
        ) : (
          <Field label={texts.id} hint={texts.idHint} error={fields.id}>
            {(control) => (
              <input {...control} autoComplete="off" value={id} onChange={(event) => setId(event.target.value)} />
            )}
          </Field>
        )}
        <Field label={texts.name} hint={patient ? undefined : texts.nameHint} error={fields.name}>
          {(control) => (
            <input {...control} autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        <Field label={texts.unit} hint={texts.unitHint} error={fields.unit}>
          {(control) => (
            <input {...control} autoComplete="off" value={unit} onChange={(event) => setUnit(event.target.value)} />
          )}
        </Field>
        {!patient && (
          <UserPicker
            label={texts.account}
            hint={texts.accountHint}
            error={fields.userId}
            value={userId}
            onChoose={(user) => setUserId(user?.id)}
          />
        )}
        <FormEnd isNew={!patient} isSaving={save.isPending} failure={whole} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
