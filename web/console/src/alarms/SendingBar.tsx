import type { ReactNode } from "react";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Dialogs.module.css";
import type { Sending } from "./sending.ts";

/** The end of a dialog that sends something: how that stands, and its two buttons. */
export function SendingBar({
  sending,
  confirm,
  failed,
  onCancel,
}: {
  sending: Sending;
  confirm: string;
  failed: string;
  onCancel: () => void;
}): ReactNode {
  const { dialog } = useStrings().alarms;
  const { phase } = sending;
  const isUnderWay = phase === "sending" || phase === "again";
  return (
    <>
      {phase === "again" && <Banner>{dialog.again}</Banner>}
      {phase === "failed" && <Banner kind="wrong">{failed}</Banner>}
      {phase === "refused" && <Banner kind="wrong">{dialog.refused(sending.reason)}</Banner>}
      <div className={style.buttons}>
        <Button onClick={onCancel}>{dialog.cancel}</Button>
        {/* It keeps the focus while it waits: a disabled button would lose it. */}
        <Button kind="primary" type="submit" data-first-focus aria-disabled={isUnderWay}>
          {isUnderWay ? dialog.sending : phase === "failed" ? dialog.tryAgain : confirm}
        </Button>
      </div>
    </>
  );
}
