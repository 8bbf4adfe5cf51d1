import type { Alert } from "@tocsin/react";
import type { ReactNode } from "react";
import { lookOf, symbolOf } from "../alarms/priority.ts";
import { useStrings } from "../strings/index.tsx";
import style from "./PrioritySymbol.module.css";

/** The symbol of an alarm; in its colour while it is open, since the colours are for alarms alone. */
export function PrioritySymbol({ alert }: { alert: Alert }): ReactNode {
  const { alarms } = useStrings();
  const look = lookOf(alert);
  return (
    <span className={style.symbol} data-look={alert.state === "resolved" ? "ended" : look}>
      <span aria-hidden="true">{symbolOf(alert)}</span>
      <span className="visually-hidden">{alarms.priority[look]}</span>
    </span>
  );
}
