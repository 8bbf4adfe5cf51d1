import type { ReactNode } from "react";
import style from "./Check.module.css";

/** A box to tick; its label is hit as well. */
export function Check({
  label,
  isChecked,
  onChange,
}: {
  label: string;
  isChecked: boolean;
  onChange: (isChecked: boolean) => void;
}): ReactNode {
  return (
    <label className={style.check}>
      <input type="checkbox" checked={isChecked} onChange={(event) => onChange(event.target.checked)} />
      {label}
    </label>
  );
}
