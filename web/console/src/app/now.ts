import { useServerClock } from "@tocsin/react";
import { useRef, useSyncExternalStore } from "react";

const SECOND_MS = 1_000;

/** How soon after the second has changed that is seen. */
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

/** All that count seconds change with the same tick, since all round to the same second. */
function secondOf(time: number): number {
  return Math.floor(time / SECOND_MS) * SECOND_MS;
}

/** The server's time in milliseconds, anew each second: for ages and countdowns. */
export function useNow(): number {
  return useByClock(useServerClock(), (now) => now);
}

/** The same by the clock of this machine: for what this machine itself has seen begin. */
export function useLocalNow(): number {
  return useByClock(Date.now, (now) => now);
}

/** The second of this machine that `useLocalNow` gives, for those who begin to count from a click on. */
export function localNow(): number {
  return secondOf(Date.now());
}

/**
 * What `of` makes of the second that a clock shows.
 *
 * Whoever asks is rendered again only when that is not the same any more, and not each second: thirty tiles, on which
 * nothing gets old, cost nothing.
 */
export function useByClock<T>(
  clock: () => number,
  of: (now: number) => T,
  isSame: (one: T, other: T) => boolean = Object.is,
): T {
  const kept = useRef<{ value: T }>(undefined);
  return useSyncExternalStore(subscribe, () => {
    const value = of(secondOf(clock()));
    if (!kept.current || !isSame(kept.current.value, value)) kept.current = { value };
    return kept.current.value;
  });
}
