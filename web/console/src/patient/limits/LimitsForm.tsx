import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Refused, useCall } from "@tocsin/react";
import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { Button } from "../../design/Button.tsx";
import { Field } from "../../design/Field.tsx";
import { useStrings } from "../../strings/index.tsx";
import { limitsKey, type PatientLimits } from "../../vitals/useLimits.ts";
import { bodyOf, type Draft, type DraftErrors, draftOf, errorsOf, hasChanges, keyOf, refusalsOf } from "./draft.ts";
import { changesKey } from "./LimitChanges.tsx";
import { LimitFields } from "./LimitFields.tsx";
import style from "./Limits.module.css";
import { Suggestions } from "./Suggestions.tsx";

const PATH = "/api/v1/patients/{patientId}/limits";
const LONGEST_REASON = 500;

/** Changing the patient's own limits. Nothing holds before the server has said so. */
export function LimitsForm({
  limits: asked,
  onDone,
}: {
  limits: PatientLimits;
  onDone: (hasSaved: boolean) => void;
}): ReactNode {
  const { limits: strings } = useStrings().patient;
  const point = useStrings().vitals.decimalPoint;
  const call = useCall();
  const queries = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  // What is being changed stays as it was when this began: another's change is told, and not slipped under the hand.
  const [limits, setLimits] = useState(asked);
  const [draft, setDraft] = useState<Draft>(() => draftOf(asked, point));
  const [errors, setErrors] = useState<DraftErrors>({});
  const { patientId } = limits;

  const complain = (found: DraftErrors) => {
    setErrors(found);
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  };
  const save = useMutation({
    mutationFn: () => call("put", PATH, { path: { patientId }, body: bodyOf(draft, limits) }),
    onSuccess: (saved) => {
      queries.setQueryData(limitsKey(patientId), saved);
      void queries.invalidateQueries({ queryKey: changesKey(patientId) });
      onDone(true);
    },
    onError: (error) => {
      if (!(error instanceof Refused)) return complain({ form: strings.unsent });
      const current = error.problem.current as PatientLimits | undefined;
      if (error.code !== "limits_changed" || !current)
        return complain(refusalsOf(error.problem, bodyOf(draft, limits)));
      setLimits(current);
      queries.setQueryData(limitsKey(patientId), current);
      complain({ form: strings.changedMeanwhile });
    },
  });

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const found = errorsOf(draft, strings);
    if (Object.keys(found).length > 0) return complain(found);
    if (!hasChanges(draft, limits)) return complain({ form: strings.unchanged });
    setErrors({});
    save.mutate();
  };
  const write = (key: string, text: string) =>
    setDraft((before) => ({ ...before, limits: { ...before.limits, [key]: text } }));

  return (
    <form ref={form} className={style.form} onSubmit={submit} noValidate>
      <p className={style.hint}>{strings.hint}</p>
      <Suggestions patientId={patientId} onTake={(it, text) => write(keyOf(it), text)} />
      <LimitFields limits={limits} draft={draft} errors={errors} onWrite={write} />
      <Field label={strings.scaleLabel} hint={strings.scaleHint}>
        {(control) => (
          <select
            {...control}
            value={draft.spo2Scale}
            onChange={({ target }) => setDraft({ ...draft, spo2Scale: Number(target.value) })}
          >
            <option value={1}>{strings.scale(1)}</option>
            <option value={2}>{strings.scale(2)}</option>
          </select>
        )}
      </Field>
      <Field label={strings.reason} hint={strings.reasonHint} error={errors.reason}>
        {(control) => (
          <textarea
            {...control}
            rows={2}
            maxLength={LONGEST_REASON}
            value={draft.reason}
            onChange={({ target }) => setDraft({ ...draft, reason: target.value })}
          />
        )}
      </Field>
      {errors.form && (
        <p role="alert" className={style.error}>
          {errors.form}
        </p>
      )}
      <div className={style.actions}>
        <Button onClick={() => onDone(false)}>{strings.cancel}</Button>
        <Button kind="primary" type="submit" disabled={save.isPending}>
          {save.isPending ? strings.saving : strings.save}
        </Button>
      </div>
    </form>
  );
}
