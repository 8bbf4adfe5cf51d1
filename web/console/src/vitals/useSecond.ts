import { useServerClock } from "@tocsin/react";
import { useSyncExternalStore } from "react";

const EVERY_MS = 1_000;

const listeners = new Set<() => void>();
let second = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for all: everything that gets older does so in the same moment. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    second++;
    for (const each of [...listeners]) each();
  }, EVERY_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

/** The time on the server, in milliseconds of the epoch; the component is rendered again every second. */
export function useSecond(): number {
  useSyncExternalStore(subscribe, () => second);
  return useServerClock()();
}
