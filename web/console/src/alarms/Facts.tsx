import type { Alert } from "@tocsin/react";
import type { ReactNode } from "react";
import { useNow } from "../app/now.ts";
import { useStrings } from "../strings/index.tsx";
import style from "./AlarmRow.module.css";
import { ownerOf } from "./owner.ts";
import { countdown, span } from "./span.ts";

/** For how long, whose, and when it goes on to somebody else; two lines, so that the row keeps its height. */
export function Facts({ alert }: { alert: Alert }): ReactNode {
  const strings = useStrings();
  const { alarms } = strings;
  const now = useNow();
  const owner = ownerOf(alert, strings);
  const next = countdown(alert.nextEscalationAt, now);
  return (
    <div className={style.facts}>
      <p>
        <span className={style.figures}>{alarms.age(span(now - Date.parse(alert.timestamp)))}</span>
        <span className={owner ? undefined : style.nobody}>
          <span className="visually-hidden">{owner ? alarms.owner(owner) : alarms.noOwner}</span>
          <span aria-hidden="true">{owner ? `✓ ${owner}` : alarms.nobody}</span>
        </span>
      </p>
      <p>
        {alert.signal === "latched" && <span className={style.latched}>{alarms.latched}</span>}
        {next && (
          <span className={`${style.figures} ${next.late ? style.nobody : ""}`}>
            {next.late ? alarms.late(next.span) : alarms.nextStep(next.span)}
          </span>
        )}
        {alert.escalationLevel > 0 && <span>{alarms.level(alert.escalationLevel)}</span>}
        {alert.status === "false_alarm" && <span>{alarms.falseAlarm}</span>}
        {alert.note && <q className={style.note}>{alert.note}</q>}
      </p>
    </div>
  );
}
