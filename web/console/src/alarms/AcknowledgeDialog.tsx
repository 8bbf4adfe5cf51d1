import {
  type AcknowledgeStatus,
  type Alert,
  type Refused,
  useAcknowledge,
  useAlert,
  useServerClock,
} from "@tocsin/react";
import { type ReactNode, useCallback, useState } from "react";
import { useNotice } from "../app/Notices.tsx";
import { Banner } from "../design/Banner.tsx";
import { Dialog } from "../design/Dialog.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Dialogs.module.css";
import { firstOf } from "./first.ts";
import { NoteField } from "./NoteField.tsx";
import { SendingBar } from "./SendingBar.tsx";
import { useSending } from "./sending.ts";
import { WhichAlarm } from "./WhichAlarm.tsx";

const STATUSES: readonly AcknowledgeStatus[] = ["acknowledged", "confirmed", "false_alarm", "resolved"];

/** Takes an alarm on: Enter alone does, and whoever has more to say says it before. */
export function AcknowledgeDialog({ alert, onClose }: { alert: Alert; onClose: () => void }): ReactNode {
  const strings = useStrings();
  const { dialog } = strings.alarms;
  const [status, setStatus] = useState<AcknowledgeStatus>("acknowledged");
  const [note, setNote] = useState("");
  const { acknowledge } = useAcknowledge();
  const isOpen = useAlert(alert.alertId) !== undefined;
  const notice = useNotice();
  const clock = useServerClock();

  const refused = useCallback(
    (error: Refused) => {
      if (error.status !== 409) return false;
      notice(firstOf(error.problem, clock(), strings));
      onClose();
      return true;
    },
    [notice, onClose, strings, clock],
  );
  const { sending, send } = useSending(onClose, refused);

  return (
    <Dialog title={dialog.acknowledge} onClose={onClose}>
      <form
        className={style.form}
        onSubmit={(event) => {
          event.preventDefault();
          send((signal) => acknowledge(alert, { status, note: note.trim(), signal }));
        }}
      >
        <WhichAlarm alert={alert} />
        {!isOpen && sending.phase === "idle" && <Banner>{dialog.ended}</Banner>}
        <fieldset className={style.statuses}>
          <legend>{dialog.status}</legend>
          {STATUSES.map((it) => (
            <label key={it} className={style.status}>
              <input type="radio" name="status" checked={status === it} onChange={() => setStatus(it)} />
              {dialog.statuses[it]}
            </label>
          ))}
        </fieldset>
        <NoteField note={note} onChange={setNote} />
        <SendingBar sending={sending} confirm={dialog.confirmAcknowledge} failed={dialog.failed} onCancel={onClose} />
      </form>
    </Dialog>
  );
}
