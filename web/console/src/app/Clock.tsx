import type { ReactNode } from "react";
import { useStrings } from "../strings/index.tsx";
import style from "./Header.module.css";
import { useNow } from "./now.ts";

/** The time of the server, which every age and every countdown goes by. */
export function Clock(): ReactNode {
  const { app } = useStrings();
  const now = new Date(useNow());
  const [hours, minutes, seconds] = [now.getHours(), now.getMinutes(), now.getSeconds()].map((it) =>
    String(it).padStart(2, "0"),
  );
  return (
    <time className={style.clock} title={app.serverTime} dateTime={now.toISOString()}>
      {hours}:{minutes}:{seconds}
    </time>
  );
}
