import { useAlerts } from "@tocsin/react";
import { type ReactNode, useMemo, useRef } from "react";
import { Boundary } from "../app/Boundary.tsx";
import { useConnection } from "../app/connection.ts";
import { PartFailed } from "../app/Failed.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./AlarmList.module.css";
import { AlarmRow } from "./AlarmRow.tsx";
import { worstFirst } from "./order.ts";
import { isUntaken } from "./priority.ts";
import { useKeptFocus } from "./useKeptFocus.ts";

/** Every open alarm, worst first and then newest, with who has it and when it goes on to somebody else. */
export function AlarmList(): ReactNode {
  const { alarms } = useStrings();
  const open = useAlerts();
  const { phase } = useConnection();
  const ordered = useMemo(() => worstFirst(open.values()), [open]);
  const ref = useRef<HTMLElement>(null);
  useKeptFocus(ref, ordered);
  return (
    <section className={style.alarms} aria-labelledby="alarms-heading" ref={ref}>
      <header className={style.header}>
        <h2 id="alarms-heading" tabIndex={-1}>
          {alarms.heading}
        </h2>
        {ordered.length > 0 && (
          <p className={style.count}>{alarms.count(ordered.length, ordered.filter(isUntaken).length)}</p>
        )}
      </header>
      {ordered.length > 0 ? (
        <ol className={style.list} data-testid="alarm-list">
          {ordered.map((alert) => (
            <Boundary
              key={alert.alertId}
              instead={(again) => (
                <li data-testid="alarm" data-alert-id={alert.alertId} data-priority={alert.priority}>
                  <PartFailed what={alert.patientId} again={again} />
                </li>
              )}
            >
              <AlarmRow alert={alert} />
            </Boundary>
          ))}
        </ol>
      ) : (
        <div className={style.none}>
          {/* Only what is known to be nothing is called nothing. */}
          <p>{phase === "live" ? alarms.none : alarms.unknown}</p>
        </div>
      )}
    </section>
  );
}
