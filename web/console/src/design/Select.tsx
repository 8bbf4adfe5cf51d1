import type { ReactNode } from "react";
import { Field } from "./Field.tsx";

export interface Option<T extends string> {
  value: T;
  text: string;
}

/** A choice of a few; the browser's own list, which every keyboard and every telephone knows. */
export function Select<T extends string>({
  label,
  value,
  options,
  onChoose,
}: {
  label: string;
  value: T;
  options: Option<T>[];
  onChoose: (value: T) => void;
}): ReactNode {
  return (
    <Field label={label}>
      {(control) => (
        <select
          {...control}
          value={value}
          onChange={(event) => {
            const chosen = options.find((it) => it.value === event.target.value);
            if (chosen) onChoose(chosen.value);
          }}
        >
          {options.map((it) => (
            <option key={it.value} value={it.value}>
              {it.text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
