import { useAlerts } from "@tocsin/react";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from "react";
import { useConnection } from "../app/connection.ts";
import { isHeard } from "../app/connection-alarm.ts";
import { localNow, useLocalNow, useNow } from "../app/now.ts";
import { goOn, loudest, type Pause, pauseFrom, reminderOf, toneOf } from "./sounding.ts";
import { useSpeaker } from "./useSpeaker.ts";

/** `off`: the browser lets nothing be heard before a click. `elsewhere`: another tab of it sounds. */
export type SoundState = "off" | "on" | "paused" | "elsewhere";

interface Sound {
  state: SoundState;
  /** How much of the pause is left, in milliseconds. */
  leftMs: number;
  /** Switch it on, pause it, or end the pause: whichever comes next. Only within a click or a keypress. */
  toggle: () => void;
}

const Context = createContext<Sound>({ state: "off", leftMs: 0, toggle: () => {} });

/** Sounds the worst alarm of this screen, in one tab of the browser. */
export function SoundProvider({ children }: { children: ReactNode }): ReactNode {
  const now = useNow();
  const machineNow = useLocalNow();
  const alerts = useAlerts();
  const connection = useConnection();
  const { isReady, where, unlock, play, takeOver } = useSpeaker();
  const [pause, setPause] = useState<Pause | null>(null);

  const tone = toneOf(alerts.values(), isHeard(connection, machineNow));
  const goesOn = goOn(pause, tone, machineNow);
  useEffect(() => {
    if (!goesOn) setPause(null);
  }, [goesOn]);

  const isHere = isReady && where === "here";
  const reminder = goesOn ? null : reminderOf(alerts.values(), now);
  const audible = isHere && !goesOn ? loudest(tone, reminder) : null;
  useEffect(() => play(audible), [play, audible]);

  const state: SoundState = where === "elsewhere" ? "elsewhere" : !isHere ? "off" : goesOn ? "paused" : "on";
  const toggle = useCallback(() => {
    if (state === "off") void unlock();
    else if (state === "elsewhere") void takeOver();
    else setPause(state === "paused" ? null : pauseFrom(localNow(), tone));
  }, [state, unlock, takeOver, tone]);
  const leftMs = goesOn ? Math.max(0, goesOn.until - machineNow) : 0;
  const sound = useMemo(() => ({ state, leftMs, toggle }), [state, leftMs, toggle]);
  return <Context value={sound}>{children}</Context>;
}

/** How the sound of this screen stands, and what the next press of its button does. */
export function useSound(): Sound {
  return useContext(Context);
}
