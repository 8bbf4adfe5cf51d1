import { useQuery } from "@tanstack/react-query";
import { type AlertEvent, useAlertEvents, useCall } from "@tocsin/react";
import { type ReactNode, useCallback } from "react";
import { messageOf } from "../alarms/message.ts";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Dialog } from "../design/Dialog.tsx";
import { Spinner } from "../design/Spinner.tsx";
import { AlertStory, storyKey } from "../patient/timeline/AlertStory.tsx";
import { useStrings } from "../strings/index.tsx";
import { usePatientName } from "../ward/patients.ts";
import style from "./History.module.css";

/** What happened to one alarm, from its beginning on. */
export function AlertDialog({ alertId, onClose }: { alertId: string; onClose: () => void }): ReactNode {
  const strings = useStrings();
  const { history: texts } = strings;
  const nameOf = usePatientName();
  const call = useCall();
  const alert = useQuery({
    queryKey: storyKey(alertId),
    queryFn: ({ signal }) => call("get", "/api/v1/alerts/{alert_id}", { path: { alert_id: alertId }, signal }),
  });
  const { refetch } = alert;
  useAlertEvents(useCallback((event: AlertEvent) => event.alertId === alertId && void refetch(), [alertId, refetch]));
  const title = alert.data ? `${messageOf(alert.data, strings)}, ${nameOf(alert.data.patientId)}` : texts.detail;
  return (
    <Dialog title={title} onClose={onClose} isWide>
      <div className={style.detail}>
        {alert.isPending && <Spinner label={texts.loading} />}
        {alert.isError && <Banner kind="wrong">{texts.notFound}</Banner>}
        {alert.data && <AlertStory alertId={alertId} raisedAt={Date.parse(alert.data.timestamp)} />}
        <div className={style.buttons}>
          {alert.data && <a href={`#/patients/${encodeURIComponent(alert.data.patientId)}`}>{texts.openPatient}</a>}
          <Button onClick={onClose}>{texts.close}</Button>
        </div>
      </div>
    </Dialog>
  );
}
