import { useServerClock } from "@tocsin/react";
import { useCallback, useSyncExternalStore } from "react";

const TICK_MS = 250;

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One timer for every age and every countdown of the page, that stops with the last of them. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    for (const it of listeners) it();
  }, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The server's time in milliseconds, anew so many times a second (at most four): for ages and countdowns. */
export function useNow(hz = 1): number {
  return useTicks(useServerClock(), hz);
}

/** The same by the clock of this machine: for what this machine itself has seen begin. */
export function useLocalNow(hz = 1): number {
  return useTicks(Date.now, hz);
}

function useTicks(clock: () => number, hz: number): number {
  const every = 1000 / Math.min(hz, 1000 / TICK_MS);
  // All that count seconds change with the same tick, since all round to the same second.
  const read = useCallback(() => Math.floor(clock() / every) * every, [clock, every]);
  return useSyncExternalStore(subscribe, read);
}
