import type { ReactNode } from "react";
import { span } from "../alarms/span.ts";
import { Button } from "../design/Button.tsx";
import { useSession } from "../session/Session.tsx";
import { type Strings, useStrings } from "../strings/index.tsx";
import style from "./ConnectionAlarm.module.css";
import { useConnection } from "./connection.ts";
import type { Connection } from "./connection-alarm.ts";
import { useLocalNow } from "./now.ts";

/** The alarm that there may be alarms which nobody sees: as wide as the page, and not to be dismissed. */
export function ConnectionAlarm(): ReactNode {
  const { app } = useStrings();
  const { renew } = useSession();
  const now = useLocalNow();
  const connection = useConnection();
  if (connection.phase === "live" || connection.phase === "connecting") return null;
  return (
    <div
      className={style.alarm}
      data-testid="connection-alarm"
      data-look="high"
      data-priority="high"
      data-state="active"
    >
      <div className={`alarm-band ${style.band}`}>
        <span className={`alarm-symbol ${style.symbol}`} aria-hidden="true">
          !!!
        </span>
        <strong role="alert">{headingOf(connection, app)}</strong>
      </div>
      <div className={style.detail}>
        <p>{app.connection.lostDetail(span(now - connection.since))}</p>
        <p>{app.connection.watch}</p>
        {connection.phase === "lost" && connection.retryAt !== null && (
          <p className={style.next}>
            {connection.retryAt > now
              ? app.connection.retryIn(span(Math.ceil((connection.retryAt - now) / 1000) * 1000))
              : app.connection.retrying}
          </p>
        )}
        {connection.phase === "stopped" && (
          <Button onClick={renew}>
            {connection.status === 401 ? app.connection.signInAgain : app.connection.tryAgain}
          </Button>
        )}
      </div>
    </div>
  );
}

function headingOf(connection: Connection & { phase: "lost" | "stopped" }, { connection: words }: Strings["app"]) {
  if (connection.phase === "lost") return connection.isOffline ? words.offlineHeading : words.lostHeading;
  const { status, reason } = connection;
  if (status === 401) return words.signInEnded;
  if (status === 403) return words.notAllowed;
  if (status === 410 || status === 204) return words.gone;
  return words.refused(reason);
}
