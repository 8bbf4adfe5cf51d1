import type { Alert } from "@tocsin/react";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { Button } from "../design/Button.tsx";
import { useStrings } from "../strings/index.tsx";
import { usePatientName } from "../ward/patients.ts";
import { useAlarmActions } from "./AlarmDialogs.tsx";
import style from "./AlarmRow.module.css";
import { Age, Facts } from "./Facts.tsx";
import { messageOf, reasonsOf } from "./message.ts";
import { isUntaken, lookOf, symbolOf } from "./priority.ts";

/** One alarm of the list: what and where, for how long, whose it is, and what is to be done. */
export function AlarmRow({ alert }: { alert: Alert }): ReactNode {
  const strings = useStrings();
  const { alarms } = strings;
  const nameOf = usePatientName();
  const { acknowledge, resolve } = useAlarmActions();
  const look = lookOf(alert);
  const message = messageOf(alert, strings);
  const patient = nameOf(alert.patientId);
  return (
    <li
      className={style.row}
      data-testid="alarm"
      data-alert-id={alert.alertId}
      data-priority={alert.priority}
      data-look={look}
      data-state={alert.state}
    >
      <div className={`alarm-band ${style.band}`}>
        <span className={`alarm-symbol ${style.symbol}`} aria-hidden="true">
          {symbolOf(alert)}
        </span>
        <div className={style.what}>
          <h3 className={style.message} title={reasonsOf(alert, strings)}>
            <span className="visually-hidden">{alarms.priority[look]}: </span>
            {message}
          </h3>
          {alert.signal === "latched" && <p className={style.latched}>{alarms.latched}</p>}
        </div>
        <div className={style.where}>
          <Link href={`/patients/${alert.patientId}`} className={style.patient} title={patient} data-row-focus>
            {patient}
          </Link>
          <Age alert={alert} />
        </div>
      </div>
      <div className={style.below}>
        <Facts alert={alert} />
        {isUntaken(alert) ? (
          <Button
            kind="primary"
            aria-label={alarms.acknowledgeWhich(message, patient)}
            onClick={() => acknowledge(alert.alertId)}
          >
            {alarms.acknowledge}
          </Button>
        ) : (
          <Button aria-label={alarms.resolveWhich(message, patient)} onClick={() => resolve(alert.alertId)}>
            {alarms.resolve}
          </Button>
        )}
      </div>
    </li>
  );
}
