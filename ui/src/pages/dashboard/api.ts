import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";
import type { LiveEvent } from "@/lib/live";
import { RUN_STATUSES } from "@/lib/status";
import type { StatsWindow } from "./window";

export type Stats = Schemas["Stats"];

/** Where the stream is away, figures are asked for so often; where it is there, so that what it does not tell grows old no more. */
const POLL_MS = 5_000;
const QUIET_MS = 15_000;

/** The figures of the workspace, over the time that the window names. */
export function statsQuery(window: StatsWindow, isPolled = false) {
  return queryOptions({
    queryKey: statsKey(window),
    queryFn: ({ signal }) => unwrap(api.GET("/v1/stats", { params: { query: { window } }, signal })),
    // Of another window, until those of this one are there: nothing jumps. Of another workspace, the cache holds nothing.
    placeholderData: (before) => before,
    refetchInterval: isPolled ? POLL_MS : QUIET_MS,
  });
}

export function statsKey(window: StatsWindow) {
  return ["stats", window] as const;
}

/** The figures with the statuses that the stream has told since; the same object where none concerns a run of them. */
export function patchRunning(stats: Stats, events: readonly LiveEvent[]): Stats {
  const latest = new Map(events.map((event) => [event.run_id, event.status]));
  if (!stats.running.some((run) => latest.has(run.id))) return stats;
  const running = stats.running.map((run) => {
    const status = RUN_STATUSES.find((known) => known === latest.get(run.id));
    return status === undefined ? run : { ...run, status };
  });
  return { ...stats, running };
}
