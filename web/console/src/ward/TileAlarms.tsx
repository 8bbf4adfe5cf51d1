import type { Alert } from "@tocsin/react";
import type { ReactNode } from "react";
import { useAlarmActions } from "../alarms/AlarmDialogs.tsx";
import { messageOf } from "../alarms/message.ts";
import { fitting } from "../alarms/order.ts";
import { ownerOf } from "../alarms/owner.ts";
import { lookOf, symbolOf } from "../alarms/priority.ts";
import { span } from "../alarms/span.ts";
import { useConnection } from "../app/connection.ts";
import { useNow } from "../app/now.ts";
import { Button } from "../design/Button.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Tile.module.css";

/** Takes on the foremost alarm of a tile, which is the one that frames it. */
export function TakeOn({ alert, patient }: { alert: Alert; patient: string }): ReactNode {
  const strings = useStrings();
  const { alarms } = strings;
  const { acknowledge } = useAlarmActions();
  return (
    <Button
      kind="primary"
      aria-label={alarms.acknowledgeWhich(messageOf(alert, strings), patient)}
      onClick={() => acknowledge(alert.alertId)}
    >
      {alarms.acknowledge}
    </Button>
  );
}

/** The worst alarms of a patient, in a place that keeps its height. */
export function TileAlarms({ alerts, shown }: { alerts: readonly Alert[]; shown: number }): ReactNode {
  const { alarms, ward } = useStrings();
  const more = alerts.length - shown;
  const isKnown = useConnection().phase === "live";
  if (alerts.length === 0) {
    return <p className={`${style.alarms} ${style.quiet}`}>{isKnown ? ward.noAlarms : ward.unknownAlarms}</p>;
  }
  return (
    <div className={style.alarms}>
      <ol className={style.list}>
        {fitting(alerts, shown).map((alert) => (
          <TileAlarm key={alert.alertId} alert={alert} />
        ))}
      </ol>
      <p className={style.more}>{more > 0 && alarms.more(more)}</p>
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
