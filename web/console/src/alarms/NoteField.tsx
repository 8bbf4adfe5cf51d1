import type { ReactNode } from "react";
import { Field } from "../design/Field.tsx";
import { useStrings } from "../strings/index.tsx";

/** As much as the server takes. */
const LONGEST = 2000;
const TELLS_FROM = 1800;

/** A note to an alarm. */
export function NoteField({ note, onChange }: { note: string; onChange: (note: string) => void }): ReactNode {
  const { dialog } = useStrings().alarms;
  return (
    <Field label={dialog.note} hint={note.length >= TELLS_FROM ? dialog.left(LONGEST - note.length) : dialog.noteHint}>
      {(control) => (
        <textarea
          {...control}
          rows={2}
          maxLength={LONGEST}
          value={note}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
