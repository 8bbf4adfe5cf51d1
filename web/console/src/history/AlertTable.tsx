import type { Alert } from "@tocsin/react";
import type { ReactNode } from "react";
import { messageOf } from "../alarms/message.ts";
import { ownerOf } from "../alarms/owner.ts";
import { span } from "../alarms/span.ts";
import { useNow } from "../app/now.ts";
import { plain } from "../design/plain.ts";
import { Table } from "../design/Table.tsx";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import { usePatientName } from "../ward/patients.ts";
import style from "./History.module.css";
import { PrioritySymbol } from "./PrioritySymbol.tsx";

/** Alarms in rows; each leads to what happened to it. */
export function AlertTable({ alerts, addressOf }: { alerts: Alert[]; addressOf: (alert: Alert) => string }): ReactNode {
  const strings = useStrings();
  const { history: texts } = strings;
  const format = useFormats();
  const nameOf = usePatientName();
  return (
    <Table
      caption={texts.caption}
      rows={alerts}
      keyOf={(alert) => alert.alertId}
      isQuiet={(alert) => alert.state === "resolved"}
      columns={[
        {
          head: texts.message,
          kind: "title",
          cell: (alert) => (
            <span className={style.message}>
              <PrioritySymbol alert={alert} />
              <a
                className={style.link}
                href={addressOf(alert)}
                aria-label={texts.open(messageOf(alert, strings), nameOf(alert.patientId))}
              >
                {messageOf(alert, strings)}
              </a>
            </span>
          ),
        },
        { head: texts.patient, kind: "title", cell: (alert) => nameOf(alert.patientId) },
        { head: texts.raised, cell: (alert) => format.moment(alert.timestamp) },
        { head: texts.duration, kind: "number", cell: (alert) => <Duration alert={alert} /> },
        { head: texts.takenBy, cell: (alert) => <TakenOn alert={alert} /> },
        { head: texts.note, cell: ({ note, resolutionNote }) => plain(note ?? resolutionNote ?? "") },
        {
          head: texts.state,
          cell: ({ state, status, escalationLevel }) =>
            [
              texts.states[state],
              status && status !== "acknowledged" && status !== state && texts.statuses[status],
              escalationLevel > 0 && texts.level(escalationLevel),
            ]
              .filter(Boolean)
              .join(" · "),
        },
      ]}
    />
  );
}

function between(start: string, end: string): string {
  return span(Date.parse(end) - Date.parse(start));
}

function Duration({ alert: { timestamp, resolvedAt } }: { alert: Alert }): ReactNode {
  return resolvedAt ? between(timestamp, resolvedAt) : <Running since={timestamp} />;
}

/** Who took the alarm on, and how long that took. */
function TakenOn({ alert }: { alert: Alert }): ReactNode {
  const strings = useStrings();
  const { timestamp, acknowledgedAt, state } = alert;
  if (!acknowledgedAt) return state === "active" ? strings.history.nobody : null;
  return (
    <>
      {ownerOf(alert, strings)}{" "}
      <span className={style.after}>{strings.history.after(between(timestamp, acknowledgedAt))}</span>
    </>
  );
}

/** How long an alarm has been open, as of now. */
function Running({ since }: { since: string }): ReactNode {
  return `${span(useNow() - Date.parse(since))} …`;
}
