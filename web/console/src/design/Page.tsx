import type { ReactNode } from "react";
import style from "./Page.module.css";

/** A page of the console under its heading, with what can be done on it beside that. */
export function Page({
  title,
  actions,
  children,
}: {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
}): ReactNode {
  return (
    <div className={style.page}>
      <header className={style.head}>
        <h1>{title}</h1>
        {actions && <div className={style.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}
