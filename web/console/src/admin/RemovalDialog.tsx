import type { ReactNode } from "react";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { Dialog } from "../design/Dialog.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Admin.module.css";
import type { Membership } from "./useMembership.ts";

/** Who is about to be taken off whose care team. */
export interface Leaving {
  userId: string;
  name: string;
  patientId: string;
  patient: string;
}

/** Asks before somebody is taken off a care team, since they will be told of no alarm any more. */
export function RemovalDialog({
  leaving: { userId, name, patientId, patient },
  membership,
  onClose,
}: {
  leaving: Leaving;
  membership: Membership;
  onClose: () => void;
}): ReactNode {
  const { admin } = useStrings();
  const texts = admin.careTeams;
  return (
    <Dialog title={texts.sure(name, patient)} onClose={onClose}>
      <p>{texts.sureHint}</p>
      {membership.failure && <Banner kind="wrong">{membership.failure}</Banner>}
      <div className={style.buttons}>
        <Button onClick={onClose}>{admin.cancel}</Button>
        <Button
          kind="danger"
          aria-disabled={membership.isPending}
          onClick={() => !membership.isPending && membership.change({ patientId, userId, name, isMember: false })}
        >
          {texts.remove}
        </Button>
      </div>
    </Dialog>
  );
}
