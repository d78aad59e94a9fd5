import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { serverNow } from "@/lib/clock";
import { isAtTop, keepFresh, readFirstPage } from "@/lib/first-page";
import { type LiveEvent, listen, useLive } from "@/lib/live";
import { createRefresher } from "@/lib/refresher";
import { type RunPages, lastBeforeMore, patchRuns, runsKey } from "./api";
import type { RunFilters } from "./filters";
import { NO_NEWS, noteNews } from "./news";

/** The list is read anew at most so often, however much happens. */
const PAUSE_MS = 1_000;
/** Where the stream is away, the top of the list is asked for so often. */
const POLL_MS = 5_000;

/**
 * Let the list follow what happens, without moving a row under the eyes of a person.
 *
 * At the top, new rows come in by themselves. Further down, rows change in their places, and the number of new ones that the
 * filters let through is told; where something was missed, that number is infinite.
 */
export function useLiveRuns(filters: RunFilters) {
  const queryClient = useQueryClient();
  const [news, setNews] = useState(0);
  const current = useRef(filters);
  const noted = useRef(NO_NEWS);
  const forget = useCallback(() => {
    noted.current = NO_NEWS;
    setNews(0);
  }, []);

  const show = useCallback(() => {
    forget();
    window.scrollTo({ top: 0 });
    void readFirstPage(queryClient, runsKey(current.current));
  }, [forget, queryClient]);

  useEffect(() => {
    current.current = filters;
    forget();
    const refresher = createRefresher(async () => {
      // Whoever has gone further down meanwhile keeps what they look at.
      if (!isAtTop()) return setNews(Number.POSITIVE_INFINITY);
      forget();
      await readFirstPage(queryClient, runsKey(filters));
    }, PAUSE_MS);
    const take = (events: readonly LiveEvent[]) => {
      if (isAtTop()) {
        refresher.ask();
        return;
      }
      const data = queryClient.getQueryData<RunPages>(runsKey(filters));
      if (data === undefined) return;
      const patched = patchRuns(data, events);
      if (patched.data !== data) queryClient.setQueryData(runsKey(filters), patched.data);
      noted.current = noteNews(noted.current, patched.strangers, { filters, now: serverNow(), last: lastBeforeMore(data) });
      setNews((count) => (Number.isFinite(count) ? noted.current.size : count));
    };
    const stop = listen(take, refresher.ask);
    const isNeeded = () => useLive.getState().status === "paused";
    const leave = keepFresh(queryClient, { queryKey: runsKey(filters), everyMs: POLL_MS, ask: refresher.ask, isNeeded });
    return () => {
      stop();
      leave();
      refresher.stop();
    };
  }, [filters, forget, queryClient]);

  return { news, show };
}
