import { useQuery } from "@tanstack/react-query";
import { useCall } from "@tocsin/react";
import type { ReactNode } from "react";
import { messageOf } from "../alarms/message.ts";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Dialog } from "../design/Dialog.tsx";
import { Spinner } from "../design/Spinner.tsx";
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
    queryKey: ["/api/v1/alerts", alertId],
    queryFn: ({ signal }) => call("get", "/api/v1/alerts/{alert_id}", { path: { alert_id: alertId }, signal }),
  });
  const title = alert.data ? `${messageOf(alert.data, strings)}, ${nameOf(alert.data.patientId)}` : texts.detail;
  return (
    <Dialog title={title} onClose={onClose} isWide>
      <div className={style.detail}>
        {alert.isPending && <Spinner label={texts.loading} />}
        {alert.isError && <Banner kind="wrong">{texts.notFound}</Banner>}
        <div className={style.buttons}>
          {alert.data && <a href={`#/patients/${encodeURIComponent(alert.data.patientId)}`}>{texts.openPatient}</a>}
          <Button onClick={onClose}>{texts.close}</Button>
        </div>
      </div>
    </Dialog>
  );
}
