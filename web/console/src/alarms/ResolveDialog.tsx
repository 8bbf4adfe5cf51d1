import { type Alert, useAcknowledge } from "@tocsin/react";
import { type ReactNode, useState } from "react";
import { Dialog } from "../design/Dialog.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Dialogs.module.css";
import { NoteField } from "./NoteField.tsx";
import { SendingBar } from "./SendingBar.tsx";
import { useSending } from "./sending.ts";
import { WhichAlarm } from "./WhichAlarm.tsx";

const takeNoRefusal = () => false;

/** Closes an alarm by hand, once somebody has said that this is meant. */
export function ResolveDialog({ alert, onClose }: { alert: Alert; onClose: () => void }): ReactNode {
  const { dialog } = useStrings().alarms;
  const [note, setNote] = useState("");
  const { resolve } = useAcknowledge();
  const { sending, send } = useSending(onClose, takeNoRefusal);
  return (
    <Dialog title={dialog.resolve} onClose={onClose}>
      <form
        className={style.form}
        onSubmit={(event) => {
          event.preventDefault();
          send((signal) => resolve(alert, { note: note.trim(), signal }));
        }}
      >
        <WhichAlarm alert={alert} />
        <p>{dialog.resolveHint}</p>
        <NoteField note={note} onChange={setNote} />
        <SendingBar
          sending={sending}
          confirm={dialog.confirmResolve}
          failed={dialog.resolveFailed}
          onCancel={onClose}
        />
      </form>
    </Dialog>
  );
}
