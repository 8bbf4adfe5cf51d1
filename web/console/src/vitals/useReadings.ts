import { useServerClock, useVitals } from "@tocsin/react";
import { useState } from "react";
import { useConnection } from "../app/connection.ts";
import { useByClock } from "../app/now.ts";
import { areSame, NONE, type Readings, readingsOf, Sightings } from "./readings.ts";

/** What there is to show of a patient's numbers, as of now; another map only when there is something else to show. */
export function useReadings(patientId: string): Readings {
  const { numerics, state } = useVitals(patientId);
  const isInTouch = useConnection().phase === "live" && state.phase === "live";
  const [sightings] = useState(() => new Sightings());
  return useByClock(useServerClock(), (now) => (isInTouch ? readingsOf(numerics, sightings, now) : NONE), areSame);
}
