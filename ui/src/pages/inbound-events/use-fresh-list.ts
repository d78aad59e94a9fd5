import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { isAtTop, keepFresh, readFirstPage } from "@/lib/first-page";
import { listen } from "@/lib/live";
import { createRefresher } from "@/lib/refresher";
import { receiptsKey } from "./api";
import type { InboundFilters } from "./filters";

/** The list is read anew at most so often, however much happens. */
const PAUSE_MS = 1_000;
/** The stream tells of runs that begin, but not of events that start none. */
const POLL_MS = 10_000;

/** Let new events come in at the top, for as long as somebody looks there: further down, no row moves. */
export function useFreshList(filters: InboundFilters): void {
  const queryClient = useQueryClient();
  useEffect(() => {
    const refresher = createRefresher(async () => {
      if (isAtTop()) await readFirstPage(queryClient, receiptsKey(filters));
    }, PAUSE_MS);
    const stop = listen((told) => {
      if (told.some(({ type }) => type === "run.queued")) refresher.ask();
    }, refresher.ask);
    const leave = keepFresh(queryClient, { queryKey: receiptsKey(filters), everyMs: POLL_MS, ask: refresher.ask });
    return () => {
      stop();
      refresher.stop();
      leave();
    };
  }, [filters, queryClient]);
}
