import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { type Alert, type components, useCall, useServerClock } from "@tocsin/react";
import { useMemo } from "react";
import { CHARTS } from "./charts.ts";
import { type Stretches, stretchesOf } from "./points.ts";
import { POINTS, renewsEveryMs, type Stretch, stretchOf, type TrendWindow } from "./window.ts";

const SERIES = "/api/v1/vitals/series";
const ALERTS = "/api/v1/alerts";
const PAGE = 200;
const MOST_PAGES = 10;
const MOST_MARKS = 400;

type AlertPage = components["schemas"]["AlertPage"];

export interface Trends {
  /** The readings of each type. */
  series: ReadonlyMap<string, Stretches>;
  /** What was asked for last. */
  stretch: Stretch | undefined;
  isPending: boolean;
  isError: boolean;
}

const SIGNS = CHARTS.flatMap(({ types, validMs }) => types.map((type) => ({ type, validMs })));

/** The readings of a patient over a stretch of time; while that goes on, asked for again and again. */
export function useTrends(patientId: string, window: TrendWindow): Trends {
  const call = useCall();
  const clock = useServerClock();
  const key = window.kind === "live" ? window.span : `${window.since}-${window.until}`;
  const results = useQueries({
    queries: SIGNS.map(({ type, validMs }) => ({
      queryKey: [SERIES, patientId, type, key],
      queryFn: async ({ signal }: { signal: AbortSignal }) => {
        const stretch = stretchOf(window, clock());
        const query = {
          type: type as "heart_rate",
          since: new Date(stretch.since).toISOString(),
          until: new Date(stretch.until).toISOString(),
          patient_id: patientId,
          points: POINTS,
        };
        return { type, stretch, stretches: stretchesOf(await call("get", SERIES, { query, signal }), validMs) };
      },
      refetchInterval: renewsEveryMs(window),
      placeholderData: keepPreviousData,
    })),
    combine: (found) => ({
      data: found.map(({ data }) => data),
      isPending: found.some((it) => it.isPending || it.isPlaceholderData),
      isError: found.some((it) => it.isError),
    }),
  });
  const { data, isPending, isError } = results;
  return useMemo(
    () => ({
      series: new Map(data.flatMap((it) => (it ? [[it.type, it.stretches] as const] : []))),
      stretch: data[0]?.stretch,
      isPending,
      isError,
    }),
    [data, isPending, isError],
  );
}

/** The newest alerts of a patient that began since then. */
export function useAlertMarks(patientId: string, window: TrendWindow): readonly Alert[] {
  const call = useCall();
  const clock = useServerClock();
  const key = window.kind === "live" ? window.span : String(window.since);
  const { data } = useQuery({
    queryKey: [ALERTS, patientId, "marks", key],
    queryFn: async ({ signal }) => {
      const { since, until } = stretchOf(window, clock());
      const found: Alert[] = [];
      let cursor: AlertPage["nextCursor"] = null;
      // Newest first: those after a stretch of the past are gone through to get to its own.
      for (let page = 0; page < MOST_PAGES && found.length < MOST_MARKS; page++) {
        const answer: AlertPage = await call("get", ALERTS, {
          query: { patient_id: patientId, since: new Date(since).toISOString(), cursor, limit: PAGE },
          signal,
        });
        found.push(...answer.alerts.filter(({ timestamp }) => Date.parse(timestamp) <= until));
        cursor = answer.nextCursor;
        if (!cursor) break;
      }
      return found;
    },
    refetchInterval: renewsEveryMs(window),
    placeholderData: keepPreviousData,
  });
  return data ?? NONE;
}

const NONE: readonly Alert[] = [];
