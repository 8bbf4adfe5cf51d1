import type { Alert } from "@tocsin/react";
import type { ReactNode } from "react";
import { useAlarmActions } from "../alarms/AlarmDialogs.tsx";
import { messageOf } from "../alarms/message.ts";
import { foremost } from "../alarms/order.ts";
import { ownerOf } from "../alarms/owner.ts";
import { lookOf, symbolOf } from "../alarms/priority.ts";
import { span } from "../alarms/span.ts";
import { useNow } from "../app/now.ts";
import { Button } from "../design/Button.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Tile.module.css";

const SHOWN = 3;

/** The worst alarms of a patient, and taking on the first that nobody has; a place that keeps its height. */
export function TileAlarms({ alerts, patient }: { alerts: readonly Alert[]; patient: string }): ReactNode {
  const strings = useStrings();
  const { alarms, ward } = strings;
  const { acknowledge } = useAlarmActions();
  const first = foremost(alerts);
  const more = alerts.length - SHOWN;
  return (
    <div className={style.alarms}>
      {alerts.length === 0 && <p className={style.quiet}>{ward.noAlarms}</p>}
      <ol className={style.list}>
        {alerts.slice(0, SHOWN).map((alert) => (
          <TileAlarm key={alert.alertId} alert={alert} />
        ))}
      </ol>
      {more > 0 && <p className={style.more}>{alarms.more(more)}</p>}
      {first?.state === "active" && (
        <Button
          kind="primary"
          className={style.acknowledge ?? ""}
          aria-label={alarms.acknowledgeWhich(messageOf(first, strings), patient)}
          onClick={() => acknowledge(first.alertId)}
        >
          {alarms.acknowledge}
        </Button>
      )}
    </div>
  );
}

function TileAlarm({ alert }: { alert: Alert }): ReactNode {
  const strings = useStrings();
  const now = useNow();
  const look = lookOf(alert);
  const owner = ownerOf(alert, strings);
  return (
    <li data-look={look} data-priority={alert.priority} data-state={alert.state}>
      <div className={`alarm-band ${style.alarm}`}>
        <span className={`alarm-symbol ${style.symbol}`} aria-hidden="true">
          {symbolOf(alert)}
        </span>
        <span className={style.message}>
          <span className="visually-hidden">{strings.alarms.priority[look]}: </span>
          {messageOf(alert, strings)}
        </span>
        <span className={style.age} title={owner ?? undefined}>
          {owner && <span aria-hidden="true">✓ </span>}
          {span(now - Date.parse(alert.timestamp))}
        </span>
      </div>
    </li>
  );
}
