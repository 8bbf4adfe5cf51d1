import type { ReactNode } from "react";
import style from "./Empty.module.css";

/** There is nothing to show: says so, and what can be done. */
export function Empty({ title, children }: { title: string; children?: ReactNode }): ReactNode {
  return (
    <div className={style.empty}>
      <p className={style.title}>{title}</p>
      {children}
    </div>
  );
}
