import type { ReactNode } from "react";
import { useStrings } from "../strings/index.tsx";
import style from "./Outside.module.css";
import { Preferences } from "./Preferences.tsx";

/** The page of those who are not in: says what this is, and holds what `children` say; `alarm` is as wide as it is. */
export function Outside({ alarm, children }: { alarm?: ReactNode; children: ReactNode }): ReactNode {
  const { app, session } = useStrings();
  return (
    <>
      {alarm}
      <main className={style.outside}>
        <header className={style.name}>
          <img src="/favicon.svg" alt="" width="56" height="56" />
          <div>
            <p className={style.product}>{app.name}</p>
            <p className={style.claim}>{session.claim}</p>
          </div>
        </header>
        <div className={style.card}>{children}</div>
        <footer className={style.footer}>
          <Preferences />
          <p>{session.disclaimer}</p>
        </footer>
      </main>
    </>
  );
}
