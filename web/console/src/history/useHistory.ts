import { useInfiniteQuery } from "@tanstack/react-query";
import { type Alert, type components, useAlertEvents, useCall, useServerClock } from "@tocsin/react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type Filter, type Question, questionOf } from "./filter.ts";

type AlertPage = components["schemas"]["AlertPage"];

/** Where a page begins; the question stays the same from the first page to the last. */
export interface Place {
  question: Question;
  cursor: string | null;
}

const PAGE = 50;

/** So many pages are asked for anew by themselves; with more of them, whoever reads decides. */
const PAGES_KEPT_FRESH = 2;
const TOGETHER_MS = 1_000;

/** The alarms that a filter lets through, newest first, page by page; the first pages follow what happens. */
export function useHistory(filter: Filter) {
  const call = useCall();
  const clock = useServerClock();
  const [isOutdated, setOutdated] = useState(false);
  const query = useInfiniteQuery({
    queryKey: ["/api/v1/alerts", "history", filter],
    queryFn: ({ pageParam, signal }): Promise<AlertPage & { question: Question }> => {
      const question = pageParam?.question ?? questionOf(filter, clock());
      const asked = { ...question, cursor: pageParam?.cursor ?? null, limit: PAGE };
      return call("get", "/api/v1/alerts", { query: asked, signal }).then((page) => ({ ...page, question }));
    },
    initialPageParam: null as Place | null,
    getNextPageParam: ({ nextCursor, question }) => (nextCursor ? { question, cursor: nextCursor } : null),
    placeholderData: (before) => before,
    // Of many pages none is asked for anew by itself, not even when somebody comes back to the tab.
    refetchOnWindowFocus: ({ state }) => (state.data?.pages.length ?? 0) <= PAGES_KEPT_FRESH,
  });
  const { data, refetch } = query;

  const pages = data?.pages.length ?? 0;
  const soon = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(soon.current), []);
  useAlertEvents(
    useCallback(() => {
      if (pages > PAGES_KEPT_FRESH) return setOutdated(true);
      clearTimeout(soon.current);
      soon.current = setTimeout(refetch, TOGETHER_MS);
    }, [pages, refetch]),
  );

  const alerts = useMemo<Alert[]>(() => data?.pages.flatMap((page) => page.alerts) ?? [], [data]);
  const refresh = useCallback(() => {
    setOutdated(false);
    return refetch();
  }, [refetch]);
  return { ...query, alerts, isOutdated, refresh };
}
