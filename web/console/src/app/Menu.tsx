import { type ReactNode, useRef } from "react";
import { Button } from "../design/Button.tsx";
import { Preferences } from "../session/Preferences.tsx";
import { useMe, useSession } from "../session/Session.tsx";
import { useStrings } from "../strings/index.tsx";
import style from "./Header.module.css";
import { useNotice } from "./Notices.tsx";
import { useKeysHelp } from "./useKeys.tsx";

/** Who is signed in; behind it the language, the look, the keys, and signing out. */
export function Menu(): ReactNode {
  const strings = useStrings();
  const { app, session } = strings;
  const me = useMe();
  const { leave } = useSession();
  const notice = useNotice();
  const showKeys = useKeysHelp();
  const ref = useRef<HTMLDivElement>(null);
  const name = me.name || me.email;
  return (
    <>
      <button type="button" className={style.menuButton} popoverTarget="menu" aria-label={app.signedInAs(name)}>
        <span>{name}</span>
        <span aria-hidden="true">▾</span>
      </button>
      <div id="menu" popover="auto" className={style.menu} ref={ref}>
        <p className={style.who}>
          <strong>{name}</strong>
          <small>{me.email}</small>
          <small>{me.roles.map((role) => strings.roles[role]).join(", ")}</small>
        </p>
        <Preferences />
        <div className={style.menuButtons}>
          <Button
            onClick={() => {
              ref.current?.hidePopover();
              showKeys();
            }}
          >
            {app.keys}
          </Button>
          <Button onClick={() => leave().catch(() => notice(session.noAnswer))}>{session.signOut}</Button>
        </div>
      </div>
    </>
  );
}
