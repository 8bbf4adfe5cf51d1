import type { ReactNode } from "react";
import { Banner } from "../design/Banner.tsx";
import { Button } from "../design/Button.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Admin.module.css";

/** The foot of a form: what went wrong, and the buttons. */
export function FormEnd({
  isNew,
  isSaving,
  failure,
  onCancel,
}: {
  isNew: boolean;
  isSaving: boolean;
  failure: string | undefined;
  onCancel: () => void;
}): ReactNode {
  const { admin } = useStrings();
  return (
    <>
      {failure && <Banner kind="wrong">{failure}</Banner>}
      <div className={style.buttons}>
        <Button onClick={onCancel}>{admin.cancel}</Button>
        <Button kind="primary" type="submit" aria-disabled={isSaving}>
          {isSaving ? admin.saving : isNew ? admin.create : admin.save}
        </Button>
      </div>
    </>
  );
}
