import { type ReactNode, useState } from "react";
import { Button } from "../design/Button.tsx";
import { Combobox } from "../design/Combobox.tsx";
import { Field } from "../design/Field.tsx";
import { type Option, Select } from "../design/Select.tsx";
import { useStrings } from "../strings/index.tsx";
import { patientSuggestions } from "../ward/patient-suggestions.ts";
import { usePatients } from "../ward/patients.ts";
import { type Filter, isSpan, KINDS, SPANS, STATES, TIERS } from "./filter.ts";
import style from "./History.module.css";

const ALL = "";
const DAY = "day";

/** Which alarms are looked for. */
export function Filters({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }): ReactNode {
  const { history: texts } = useStrings();
  const { data: patients = [] } = usePatients();
  const [isDayAsked, setDayAsked] = useState(false);
  const { since = ALL } = filter;
  const isDay = isDayAsked || (since !== ALL && !isSpan(since));
  const set = <K extends keyof Filter>(name: K, value: Filter[K] | typeof ALL | undefined) => {
    const { [name]: _, ...rest } = filter;
    onChange(value ? { ...rest, [name]: value } : rest);
  };
  return (
    <search className={style.filters} aria-label={texts.filters}>
      <Combobox
        label={texts.patient}
        value={filter.patient}
        placeholder={texts.everyPatient}
        none={texts.noPatient}
        clear={texts.clearPatient}
        suggestions={patientSuggestions(patients)}
        onChoose={(id) => set("patient", id)}
      />
      <Select
        label={texts.state}
        value={filter.state ?? ALL}
        options={choices(texts.everyState, STATES, texts.states)}
        onChoose={(it) => set("state", it)}
      />
      <Select
        label={texts.tier}
        value={filter.tier ?? ALL}
        options={choices(texts.everyTier, TIERS, texts.tiers)}
        onChoose={(it) => set("tier", it)}
      />
      <Select
        label={texts.kind}
        value={filter.kind ?? ALL}
        options={choices(texts.everyKind, KINDS, texts.kinds)}
        onChoose={(it) => set("kind", it)}
      />
      <Select
        label={texts.since}
        value={isDay ? DAY : since}
        options={[...choices<string>(texts.ever, SPANS, texts.spans), { value: DAY, text: texts.fromDay }]}
        onChoose={(it) => {
          setDayAsked(it === DAY);
          set("since", it === DAY ? ALL : it);
        }}
      />
      {isDay && (
        <Field label={texts.day}>
          {(control) => (
            <input
              {...control}
              type="date"
              value={isSpan(since) ? ALL : since}
              onChange={(event) => set("since", event.target.value)}
            />
          )}
        </Field>
      )}
      {Object.keys(filter).length > 0 && (
        <Button
          onClick={() => {
            setDayAsked(false);
            onChange({});
          }}
        >
          {texts.clear}
        </Button>
      )}
    </search>
  );
}

function choices<T extends string>(
  all: string,
  values: readonly T[],
  texts: Record<T, string>,
): Option<T | typeof ALL>[] {
  return [{ value: ALL, text: all }, ...values.map((value) => ({ value, text: texts[value] }))];
}
