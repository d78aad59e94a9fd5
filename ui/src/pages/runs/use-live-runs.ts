import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { type LiveEvent, listen } from "@/lib/live";
import { type RunPages, patchRuns, refreshTop, runsKey } from "./api";
import type { RunFilters } from "./filters";

/** Above this, a person reads the newest rows: there, new ones may come in. */
const TOP_PIXELS = 80;
/** The list is read anew at most so often, however much happens. */
const PAUSE_MS = 1_000;

/**
 * Let the list follow what happens, without moving a row under the eyes of a person.
 *
 * At the top, new rows come in by themselves. Further down, rows change in their places, and the number of new ones is told.
 */
export function useLiveRuns(filters: RunFilters) {
  const queryClient = useQueryClient();
  const [news, setNews] = useState(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const current = useRef(filters);

  const show = useCallback(() => {
    setNews(0);
    window.scrollTo({ top: 0 });
    void refreshTop(queryClient, current.current);
  }, [queryClient]);

  useEffect(() => {
    current.current = filters;
    setNews(0);
    const refreshSoon = () => {
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        setNews(0);
        void refreshTop(queryClient, filters);
      }, PAUSE_MS);
    };
    const take = (events: readonly LiveEvent[]) => {
      if (window.scrollY < TOP_PIXELS) {
        refreshSoon();
        return;
      }
      const data = queryClient.getQueryData<RunPages>(runsKey(filters));
      if (data === undefined) return;
      const patched = patchRuns(data, events);
      if (patched.data !== data) queryClient.setQueryData(runsKey(filters), patched.data);
      if (patched.strangers > 0) setNews((count) => count + patched.strangers);
    };
    const stop = listen(take, refreshSoon);
    return () => {
      stop();
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [filters, queryClient]);

  return { news, show };
}
