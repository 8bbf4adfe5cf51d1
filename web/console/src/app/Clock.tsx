import type { ReactNode } from "react";
import { useFormats } from "../design/useFormats.ts";
import { useStrings } from "../strings/index.tsx";
import style from "./Header.module.css";
import { useNow } from "./now.ts";

/** The time of the server, which every age and every countdown goes by. */
export function Clock(): ReactNode {
  const { app } = useStrings();
  const { time } = useFormats();
  const now = new Date(useNow());
  return (
    <time className={style.clock} title={app.serverTime} dateTime={now.toISOString()}>
      {time(now.getTime())}
    </time>
  );
}
