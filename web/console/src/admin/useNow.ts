import { useServerClock } from "@tocsin/react";
import { useEffect, useState } from "react";

/** The server's time, anew every second. */
export function useNow(): number {
  const clock = useServerClock();
  const [now, setNow] = useState(clock);
  useEffect(() => {
    const timer = setInterval(() => setNow(clock()), 1_000);
    return () => clearInterval(timer);
  }, [clock]);
  return now;
}
