import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { type Alert, type AlertEvent, useAlertEvents, useCall } from "@tocsin/react";
import { type ReactNode, useCallback, useId, useState } from "react";
import { messageOf } from "../../alarms/message.ts";
import { lookOf, symbolOf } from "../../alarms/priority.ts";
import { Button } from "../../design/Button.tsx";
import { Empty } from "../../design/Empty.tsx";
import { Spinner } from "../../design/Spinner.tsx";
import { useFormats } from "../../design/useFormats.ts";
import { useStrings } from "../../strings/index.tsx";
import { AlertStory, storyKey } from "./AlertStory.tsx";
import style from "./Timeline.module.css";

const PATH = "/api/v1/alerts";
const PAGE = 25;

/** The alerts of a patient, newest first, each with its story; what happens while one looks is there at once. */
export function TimelineSection({ patientId }: { patientId: string }): ReactNode {
  const { timeline } = useStrings().patient;
  const call = useCall();
  const queries = useQueryClient();
  const { data, isError, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    queryKey: [PATH, patientId, "pages"],
    queryFn: ({ pageParam, signal }) =>
      call("get", PATH, { query: { patient_id: patientId, cursor: pageParam, limit: PAGE }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
  });
  useAlertEvents(
    useCallback(
      (event: AlertEvent) => {
        if (event.patientId !== patientId) return;
        void queries.invalidateQueries({ queryKey: [PATH, patientId] });
        void queries.invalidateQueries({ queryKey: storyKey(event.alertId) });
      },
      [patientId, queries],
    ),
  );
  if (!data) return isError ? <p role="alert">{timeline.failed}</p> : <Spinner label={timeline.loading} />;
  const alerts = data.pages.flatMap((page) => page.alerts);
  if (alerts.length === 0) return <Empty title={timeline.none} />;
  return (
    <>
      <ol className={style.alerts} data-testid="timeline">
        {alerts.map((alert) => (
          <AlertItem key={alert.alertId} alert={alert} />
        ))}
      </ol>
      {hasNextPage && (
        <Button disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {timeline.more}
        </Button>
      )}
    </>
  );
}

function AlertItem({ alert }: { alert: Alert }): ReactNode {
  const strings = useStrings();
  const { timeline } = strings.patient;
  const formats = useFormats();
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const look = lookOf(alert);
  return (
    <li className={style.alert} data-look={look} data-alert-id={alert.alertId} data-alert-state={alert.state}>
      <h3>
        <button
          type="button"
          className={style.head}
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpen(!isOpen)}
        >
          <span className={style.symbol} aria-hidden="true">
            {symbolOf(alert)}
          </span>
          <span className={style.message}>
            <span className="visually-hidden">{strings.alarms.priority[look]}: </span>
            {messageOf(alert, strings)}
          </span>
          <span className={style.state}>{timeline.states[alert.state]}</span>
          <time className={style.when} dateTime={alert.timestamp}>
            {formats.moment(alert.timestamp)}
          </time>
          <span className={style.arrow} aria-hidden="true">
            {isOpen ? "▴" : "▾"}
          </span>
        </button>
      </h3>
      <div id={id} hidden={!isOpen}>
        {isOpen && <AlertStory alertId={alert.alertId} raisedAt={Date.parse(alert.timestamp)} />}
      </div>
    </li>
  );
}
