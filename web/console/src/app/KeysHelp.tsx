import type { ReactNode } from "react";
import { Button } from "../design/Button.tsx";
import { Check } from "../design/Check.tsx";
import { Dialog } from "../design/Dialog.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./KeysHelp.module.css";

/** Which keys there are, and turning them off. */
export function KeysHelp({
  isAllowed,
  onAllow,
  onClose,
}: {
  isAllowed: boolean;
  onAllow: (allowed: boolean) => void;
  onClose: () => void;
}): ReactNode {
  const { app } = useStrings();
  const { keysHelp: help } = app;
  const keys: [string[], string][] = [
    [["j", "↓"], help.next],
    [["k", "↑"], help.previous],
    [["a"], help.acknowledge],
    [["r"], help.resolve],
    [["o", "Enter"], help.open],
    [["p"], help.pause],
    [["?"], help.help],
    [["Esc"], help.escape],
  ];
  return (
    <Dialog title={help.title} onClose={onClose}>
      <dl className={style.keys}>
        {keys.map(([names, meaning]) => (
          <div key={meaning}>
            <dt>
              {names.map((name) => (
                <kbd key={name}>{name}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <Check label={help.allow} isChecked={isAllowed} onChange={onAllow} />
      <div className={style.buttons}>
        <Button kind="primary" onClick={onClose} data-first-focus>
          {app.close}
        </Button>
      </div>
    </Dialog>
  );
}
