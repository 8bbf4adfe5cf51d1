import { useQuery } from "@tanstack/react-query";
import { type AlertEvent, Refused, useAlertEvents, useCall } from "@tocsin/react";
import { type ReactNode, useCallback, useEffect, useRef } from "react";
import { messageOf } from "../alarms/message.ts";
import { Banner } from "../design/Banner.tsx";
import { Spinner } from "../design/Spinner.tsx";
import { useFormats } from "../design/useFormats.ts";
import { AlertStory, storyKey } from "../patient/timeline/AlertStory.tsx";
import { useStrings } from "../strings/index.tsx";
import { usePatientName } from "../ward/patients.ts";
import style from "./History.module.css";
import { PrioritySymbol } from "./PrioritySymbol.tsx";

/** What happened to one alarm, from its beginning on. No dialog, which would cover the alarms of now. */
export function AlertPage({ alertId, backTo }: { alertId: string; backTo: string }): ReactNode {
  const strings = useStrings();
  const { history: texts } = strings;
  const { moment } = useFormats();
  const nameOf = usePatientName();
  const call = useCall();
  const heading = useRef<HTMLHeadingElement>(null);
  const { data, error, refetch } = useQuery({
    queryKey: storyKey(alertId),
    queryFn: ({ signal }) => call("get", "/api/v1/alerts/{alert_id}", { path: { alert_id: alertId }, signal }),
  });
  useAlertEvents(useCallback((event: AlertEvent) => event.alertId === alertId && void refetch(), [alertId, refetch]));
  // Whoever does not see the page hears where they have come to.
  const isThere = data !== undefined;
  useEffect(() => {
    if (isThere) heading.current?.focus();
  }, [isThere]);
  return (
    <article className={style.detail}>
      <p>
        <a className={style.back} href={backTo}>
          ← {texts.back}
        </a>
      </p>
      {!data && <h1>{texts.title}</h1>}
      {!data && !error && <Spinner label={texts.loading} />}
      {!data && error && (
        <Banner kind="wrong">{error instanceof Refused && error.status === 404 ? texts.notFound : texts.failed}</Banner>
      )}
      {data && (
        <>
          <h1 ref={heading} tabIndex={-1} className={style.subject}>
            <PrioritySymbol alert={data} />
            {messageOf(data, strings)}
          </h1>
          <p>
            <a href={`#/patients/${encodeURIComponent(data.patientId)}`}>{nameOf(data.patientId)}</a> ·{" "}
            {moment(data.timestamp)} · {texts.states[data.state]}
          </p>
          <AlertStory alertId={alertId} raisedAt={Date.parse(data.timestamp)} />
        </>
      )}
    </article>
  );
}
