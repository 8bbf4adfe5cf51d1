import type { ReactNode } from "react";
import { useStrings } from "../strings/index.tsx";
import { useConnection } from "./connection.ts";
import style from "./Header.module.css";

/** How the connection to the alarms stands, in a word and a shape. */
export function ConnectionLight(): ReactNode {
  const { connection } = useStrings().app;
  const { phase } = useConnection();
  return (
    <span className={style.light} data-testid="connection" data-phase={phase}>
      <span className={style.dot} aria-hidden="true" />
      {connection[phase]}
    </span>
  );
}
