import type { ReactNode } from "react";
import { Link } from "wouter";
import { SoundButton } from "../alarms/SoundButton.tsx";
import { useMe } from "../session/Session.tsx";
import { useStrings } from "../strings/index.tsx";
import { usePath } from "./address.ts";
import { Clock } from "./Clock.tsx";
import { ConnectionLight } from "./ConnectionLight.tsx";
import style from "./Header.module.css";
import { Menu } from "./Menu.tsx";

/** The name, the pages, how connection and sound stand, the time, and who is signed in. */
export function Header(): ReactNode {
  const { app } = useStrings();
  const me = useMe();
  return (
    <header className={style.header}>
      <Link href="/" className={style.brand} aria-label={app.name}>
        <img src="/favicon.svg" alt="" width="32" height="32" />
        <span>{app.name}</span>
      </Link>
      <nav className={style.pages} aria-label={app.navigation}>
        <Page to="/" name={app.ward} />
        <Page to="/history" name={app.history} />
        {me.roles.includes("admin") && <Page to="/admin" name={app.admin} />}
      </nav>
      <div className={style.state}>
        <ConnectionLight />
        <Clock />
        <SoundButton />
      </div>
      <Menu />
    </header>
  );
}

function Page({ to, name }: { to: string; name: string }): ReactNode {
  const [path] = usePath();
  const isHere = to === "/" ? path === "/" : path.startsWith(to);
  return (
    <Link href={to} className={style.page} aria-current={isHere ? "page" : undefined}>
      {name}
    </Link>
  );
}
