import type { Alert } from "@tocsin/react";
import type { ReactNode } from "react";
import { useStrings } from "../strings/index.tsx";
import { usePatientName } from "../ward/patients.ts";
import style from "./Dialogs.module.css";
import { messageOf } from "./message.ts";
import { lookOf, symbolOf } from "./priority.ts";

/** The alarm that a dialog is about; it stays as it was when that was opened. */
export function WhichAlarm({ alert }: { alert: Alert }): ReactNode {
  const strings = useStrings();
  const nameOf = usePatientName();
  const look = lookOf(alert);
  return (
    <p className={style.which} data-look={look}>
      <span className={`alarm-symbol ${style.symbol}`} aria-hidden="true">
        {symbolOf(alert)}
      </span>
      <span className={style.message}>
        <span className="visually-hidden">{strings.alarms.priority[look]}: </span>
        {messageOf(alert, strings)}
      </span>
      <span>{nameOf(alert.patientId)}</span>
    </p>
  );
}
