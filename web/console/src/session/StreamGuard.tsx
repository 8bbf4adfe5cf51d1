import { useConnectionState } from "@tocsin/react";
import { type ReactNode, useEffect } from "react";
import { useSession } from "./Session.tsx";

const NOT_SOONER_MS = 2_000;

/** When the server refuses the alert stream for good, asks who is signed in now, and so opens the right one. */
export function StreamGuard(): ReactNode {
  const state = useConnectionState();
  const { renew } = useSession();
  const status = state.phase === "stopped" ? state.status : undefined;
  useEffect(() => {
    if (status !== 401 && status !== 403) return;
    // An ended session is said at once; rights that do not fit are not asked for without end.
    const timer = setTimeout(renew, status === 401 ? 0 : NOT_SOONER_MS);
    return () => clearTimeout(timer);
  }, [status, renew]);
  return null;
}
