import type { Alert } from "@tocsin/react";
import type { ReactNode } from "react";
import { useNow } from "../app/now.ts";
import { plain } from "../design/plain.ts";
import { useStrings } from "../strings/index.tsx";
import style from "./AlarmRow.module.css";
import { ownerOf } from "./owner.ts";
import { countdown, span } from "./span.ts";

/** For how long the alarm has been there. */
export function Age({ alert }: { alert: Alert }): ReactNode {
  const { alarms } = useStrings();
  const now = useNow();
  return <p className={style.age}>{alarms.age(span(now - Date.parse(alert.timestamp)))}</p>;
}

/** Whose it is, and when it goes on to somebody else; always two lines, so that the row keeps its height. */
export function Facts({ alert }: { alert: Alert }): ReactNode {
  const strings = useStrings();
  const { alarms } = strings;
  const owner = ownerOf(alert, strings);
  return (
    <div className={style.facts}>
      <p className={owner ? undefined : style.nobody} title={owner ?? undefined}>
        <span className="visually-hidden">{owner ? alarms.owner(owner) : alarms.noOwner}</span>
        <span aria-hidden="true">{owner ? `✓ ${owner}` : alarms.nobody}</span>
        {alert.escalationLevel > 0 && ` · ${alarms.level(alert.escalationLevel)}`}
      </p>
      {owner ? <Said alert={alert} /> : <NextStep alert={alert} />}
    </div>
  );
}

/** What the owner has said about it. */
function Said({ alert: { status, note } }: { alert: Alert }): ReactNode {
  const { alarms } = useStrings();
  return (
    <p className={style.said} title={note ?? undefined}>
      {status === "false_alarm" && alarms.falseAlarm}
      {status === "confirmed" && alarms.confirmed}
      {note && <q>{plain(note)}</q>}
    </p>
  );
}

function NextStep({ alert }: { alert: Alert }): ReactNode {
  const { alarms } = useStrings();
  const next = countdown(alert.nextEscalationAt, useNow());
  return (
    <p className={`${style.next} ${next?.late ? style.nobody : ""}`}>
      {next && (next.late ? alarms.late(next.span) : alarms.nextStep(next.span))}
      {!next && alert.escalationLevel > 0 && alarms.allTold}
    </p>
  );
}
