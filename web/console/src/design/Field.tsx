import { type ReactNode, useId } from "react";
import style from "./Field.module.css";

/** A label over what it names, with what is wrong below it. `children` is given the ids to put on the control. */
export function Field({
  label,
  hint,
  error,
  children,
}: {
  label: string;
  hint?: string | undefined;
  error?: string | undefined;
  children: (control: {
    id: string;
    "aria-describedby"?: string;
    "aria-invalid"?: true;
    className: string;
  }) => ReactNode;
}): ReactNode {
  const id = useId();
  const below = error ?? hint;
  return (
    <div className={style.field}>
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        className: style.control ?? "",
        ...(below ? { "aria-describedby": `${id}-below` } : {}),
        ...(error ? { "aria-invalid": true } : {}),
      })}
      {below && (
        <p id={`${id}-below`} className={error ? style.error : style.hint} role={error ? "alert" : undefined}>
          {below}
        </p>
      )}
    </div>
  );
}
