import { useAlerts } from "@tocsin/react";
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useRef, useState } from "react";
import { useConnection } from "../app/connection.ts";
import { isHeard } from "../app/connection-alarm.ts";
import { useLocalNow, useNow } from "../app/now.ts";
import { OneTab, type Where } from "./one-tab.ts";
import { SoundPlayer } from "./sound-player.ts";
import { goOn, loudest, type Pause, pauseFrom, reminderOf, toneOf } from "./sounding.ts";

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
  const localNow = useLocalNow();
  const alerts = useAlerts();
  const connection = useConnection();
  const { isReady, where, unlock, play, takeOver } = useSpeaker();
  const [pause, setPause] = useState<Pause | null>(null);

  const tone = toneOf(alerts.values(), isHeard(connection, localNow));
  const goesOn = goOn(pause, tone, localNow);
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
    else setPause(state === "paused" ? null : pauseFrom(localNow, tone));
  }, [state, unlock, takeOver, tone, localNow]);
  const leftMs = goesOn ? Math.max(0, goesOn.until - localNow) : 0;
  const sound = useMemo(() => ({ state, leftMs, toggle }), [state, leftMs, toggle]);
  return <Context value={sound}>{children}</Context>;
}

/** How the sound of this screen stands, and what the next press of its button does. */
export function useSound(): Sound {
  return useContext(Context);
}

interface Speaker {
  isReady: boolean;
  where: Where;
  unlock: () => Promise<void>;
  takeOver: () => Promise<void>;
  play: SoundPlayer["play"];
}

// Not on `pointerup`: what says that the sound is off would go before the click, and what lay under the finger with it.
const TOUCHES = ["click", "keydown"] as const;
const LOOK_EVERY_MS = 5_000;

/** The loudspeaker: switched on by the first touch of the page, whatever that was for. */
function useSpeaker(): Speaker {
  const parts = useRef<{ player: SoundPlayer; tab: OneTab } | undefined>(undefined);
  const [isReady, setReady] = useState(false);
  const [where, setWhere] = useState<Where>("nowhere");

  useEffect(() => {
    const tab = new OneTab(() => setWhere(tab.where));
    const player = new SoundPlayer(() => {
      setReady(player.isReady);
      if (player.isReady) tab.want();
    });
    parts.current = { player, tab };
    const touched = () => void player.unlock();
    for (const touch of TOUCHES) addEventListener(touch, touched);
    // Who has signed in on this page has touched it already.
    if (navigator.userActivation?.hasBeenActive) touched();
    const looking = setInterval(tab.look, LOOK_EVERY_MS);
    return () => {
      for (const touch of TOUCHES) removeEventListener(touch, touched);
      clearInterval(looking);
      tab.close();
      player.close();
    };
  }, []);

  const unlock = useCallback(async () => parts.current?.player.unlock(), []);
  const takeOver = useCallback(async () => {
    await parts.current?.player.unlock();
    parts.current?.tab.take();
  }, []);
  const play = useCallback<SoundPlayer["play"]>((tone) => parts.current?.player.play(tone), []);
  return { isReady, where, unlock, takeOver, play };
}
