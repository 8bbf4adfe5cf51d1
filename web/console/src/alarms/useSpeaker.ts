import { useCallback, useEffect, useRef, useState } from "react";
import { OneTab, type Where } from "./one-tab.ts";
import { SoundPlayer } from "./sound-player.ts";

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
export function useSpeaker(): Speaker {
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
