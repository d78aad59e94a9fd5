import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { type Schemas, api, unwrap } from "@/lib/api";
import { serverNow } from "@/lib/clock";
import { formatCount, formatFull } from "@/lib/format";
import { listen, useLive } from "@/lib/live";
import type { Zone } from "@/lib/preferences";
import { createRefresher } from "@/lib/refresher";
import type { RunStatus } from "@/lib/status";
import { type RunFilters, toQuery } from "./filters";

export type Counted = Schemas["CountedRuns"];

/** They are old where lists of runs are. */
const COUNTS = ["runs", "counts"] as const;

/** Runs are counted anew at most so often, however much happens. */
const PAUSE_MS = 3_000;
/** Where the stream is away, they are counted so often. */
const POLL_MS = 10_000;

/** How many runs each status has under the other filters. */
export function countsQuery(filters: RunFilters) {
  return queryOptions({
    // Which of them are listed changes nothing.
    queryKey: [...COUNTS, { ...filters, status: undefined }],
    queryFn: ({ signal }) => {
      const { workflow_id, trigger_type, since, until, q } = toQuery(filters, serverNow());
      return unwrap(api.GET("/v1/runs/counts", { params: { query: { workflow_id, trigger_type, since, until, q } }, signal }));
    },
  });
}

/** They follow what happens; undefined while it is not known how many there are. */
export function useCounts(filters: RunFilters): Counted | undefined {
  const queryClient = useQueryClient();
  const isPolled = useLive((state) => state.status === "paused");
  useEffect(() => {
    const { ask, stop } = createRefresher(() => queryClient.invalidateQueries({ queryKey: COUNTS }), PAUSE_MS);
    const leave = listen(ask, ask);
    return () => {
      leave();
      stop();
    };
  }, [queryClient]);
  return useQuery({ ...countsQuery(filters), refetchInterval: isPolled ? POLL_MS : false }).data;
}

/** "12"; "12+" where there may be more than were counted. */
export function sayCount(counted: Counted, status: RunStatus): string {
  return `${formatCount(counted.by_status[status])}${counted.since === null ? "" : "+"}`;
}

/** What the "+" means, where there is one. */
export function explainCounts({ since }: Counted, zone: Zone): string | undefined {
  return since === null ? undefined : `Of very many runs the newest were counted: those since ${formatFull(since, zone)}.`;
}
