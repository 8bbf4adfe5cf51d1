import type { ReactNode } from "react";
import style from "./Spinner.module.css";

/** Something is under way. It shows itself after a moment, so that a quick answer does not flicker. */
export function Spinner({ label }: { label: string }): ReactNode {
  return (
    <p className={style.waiting} role="status" data-testid="spinner">
      <span className={style.spinner} aria-hidden="true" />
      {label}
    </p>
  );
}
