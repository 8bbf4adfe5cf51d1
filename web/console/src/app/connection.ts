import { useConnectionState } from "@tocsin/react";
import { useMemo, useSyncExternalStore } from "react";
import { type Connection, connectionOf, isOverdue } from "./connection-alarm.ts";
import { useByClock } from "./now.ts";

let offlineSince: number | null = null;

function subscribe(listener: () => void): () => void {
  addEventListener("online", listener);
  addEventListener("offline", listener);
  return () => {
    removeEventListener("online", listener);
    removeEventListener("offline", listener);
  };
}

/** Since when the browser has had no network; null while it has one. */
function readOffline(): number | null {
  offlineSince = navigator.onLine ? null : (offlineSince ?? Date.now());
  return offlineSince;
}

/** How the connection to the alarms is to be shown; the same object until that changes. */
export function useConnection(): Connection {
  const state = useConnectionState();
  const offline = useSyncExternalStore(subscribe, readOffline);
  const isLate = useByClock(Date.now, (now) => isOverdue(state, now));
  return useMemo(() => connectionOf(state, offline, isLate), [state, offline, isLate]);
}
