import type { ReactNode } from "react";
import { useStrings } from "../strings/index.tsx";
import style from "./Sound.module.css";
import { useSound } from "./Sound.tsx";
import { span } from "./span.ts";

/** Whether this screen is heard, and pausing that; in the header, so that it is never out of sight. */
export function SoundButton(): ReactNode {
  const { sound } = useStrings().alarms;
  const { state, leftMs, toggle } = useSound();
  const isPaused = state === "paused";
  const text = {
    off: sound.offShort,
    on: sound.pause,
    paused: sound.paused(span(Math.ceil(leftMs / 1000) * 1000)),
    elsewhere: sound.elsewhere,
  }[state];
  return (
    <button
      type="button"
      className={style.button}
      data-testid="sound"
      data-state={state}
      aria-label={isPaused ? `${text}, ${sound.resume}` : text}
      title={isPaused ? sound.resume : text}
      onClick={toggle}
    >
      <Bell isSilent={state !== "on"} />
      <span className={style.text}>{text}</span>
    </button>
  );
}

/** As wide as the page, until somebody has clicked: nobody may rely on a sound that cannot come. */
export function SoundIsOff(): ReactNode {
  const { sound } = useStrings().alarms;
  const { state, toggle } = useSound();
  if (state !== "off") return null;
  return (
    <button type="button" className={style.off} onClick={toggle}>
      <Bell isSilent />
      <span>
        <strong>{sound.off}</strong>
        <span className={style.hint}>{sound.offHint}</span>
      </span>
    </button>
  );
}

function Bell({ isSilent }: { isSilent: boolean }): ReactNode {
  return (
    <svg className={style.bell} viewBox="0 0 24 24" aria-hidden="true">
      <path d="M12 3a6 6 0 0 0-6 6v4l-2 4h16l-2-4V9a6 6 0 0 0-6-6zM10 19a2 2 0 0 0 4 0z" fill="currentColor" />
      {isSilent && <path d="M3 3l18 18" stroke="currentColor" strokeWidth="2.4" strokeLinecap="round" />}
    </svg>
  );
}
