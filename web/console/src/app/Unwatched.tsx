import { type ReactNode, useEffect, useState } from "react";
import { LONGEST_PAUSE_MS } from "../alarms/sounding.ts";
import { useSpeaker } from "../alarms/useSpeaker.ts";
import { useStrings } from "../strings/index.tsx";
import "../alarms/look.css";
import style from "./ConnectionAlarm.module.css";
import { SOUNDS_AFTER_MS } from "./connection-alarm.ts";

/**
 * The alarm that this screen shows no alarms any more, although nobody has asked it to stop: to be seen, and to be
 * heard after a moment. A touch of the page silences it for two minutes, since then somebody is there.
 */
export function Unwatched({ heading, children }: { heading: string; children?: ReactNode }): ReactNode {
  const { app } = useStrings();
  const { isReady, where, play } = useSpeaker();
  const isDue = useIsDue();
  const isHeard = isDue && isReady && where === "here";
  useEffect(() => play(isHeard ? "lost" : null), [play, isHeard]);
  useEffect(() => {
    const before = document.title;
    document.title = `!!! ${heading}`;
    return () => {
      document.title = before;
    };
  }, [heading]);
  return (
    <div className={style.alarm} data-testid="unwatched" data-look="high" data-priority="high" data-state="active">
      <div className={`alarm-band ${style.band}`}>
        <span className={`alarm-symbol ${style.symbol}`} aria-hidden="true">
          !!!
        </span>
        <strong role="alert">{heading}</strong>
      </div>
      <div className={style.detail}>
        <p>{app.connection.watch}</p>
        {children}
      </div>
    </div>
  );
}

const TOUCHES = ["pointerdown", "keydown"] as const;

/** Whether it is to be heard: a moment after it began, and anew two minutes after each touch of the page. */
function useIsDue(): boolean {
  const [isDue, setDue] = useState(false);
  useEffect(() => {
    let timer = setTimeout(() => setDue(true), SOUNDS_AFTER_MS);
    const touched = () => {
      clearTimeout(timer);
      setDue(false);
      timer = setTimeout(() => setDue(true), LONGEST_PAUSE_MS);
    };
    for (const touch of TOUCHES) addEventListener(touch, touched);
    return () => {
      clearTimeout(timer);
      for (const touch of TOUCHES) removeEventListener(touch, touched);
    };
  }, []);
  return isDue;
}
