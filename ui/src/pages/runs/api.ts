import type { InfiniteData } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";
import { serverNow } from "@/lib/clock";
import type { LiveEvent } from "@/lib/live";
import { pagedQuery } from "@/lib/paged-query";
import { RUN_STATUSES, isLive } from "@/lib/status";
import { type RunFilters, toQuery } from "./filters";

export type Run = Schemas["RunSummary"];
type Page = Schemas["Page_RunSummary_"];
export type RunPages = InfiniteData<Page, string | null>;

/** The runs that the filters let through, the newest first. What happens to them, `useLiveRuns` brings in. */
export function runsQuery(filters: RunFilters) {
  return pagedQuery({
    queryKey: runsKey(filters),
    read: (page, signal) => unwrap(api.GET("/v1/runs", { params: { query: { ...toQuery(filters, serverNow()), ...page } }, signal })),
  });
}

export function runsKey(filters: RunFilters) {
  return ["runs", filters] as const;
}

/** The last row that was read, where there are more after it. */
export function lastBeforeMore({ pages }: RunPages): string | undefined {
  const page = pages.at(-1);
  return page?.next_cursor == null ? undefined : page.items.at(-1)?.id;
}

/** The rows with what the stream has told since, in their places; and what it told of runs that have none. */
export function patchRuns(data: RunPages, events: readonly LiveEvent[]): { data: RunPages; strangers: readonly LiveEvent[] } {
  const latest = new Map(events.map((event) => [event.run_id, event]));
  const known = new Set<string>();
  const pages = data.pages.map((page) => {
    const touched = page.items.filter((run) => latest.has(run.id));
    for (const { id } of touched) known.add(id);
    if (touched.length === 0) return page;
    return { ...page, items: page.items.map((run) => patchRun(run, latest.get(run.id))) };
  });
  return {
    data: known.size === 0 ? data : { ...data, pages },
    strangers: events.filter((event) => !known.has(event.run_id)),
  };
}

function patchRun(run: Run, event: LiveEvent | undefined): Run {
  const status = RUN_STATUSES.find((known) => known === event?.status);
  if (event === undefined || status === undefined) return run;
  return {
    ...run,
    status,
    started_at: run.started_at ?? (status === "queued" ? null : event.at),
    finished_at: isLive(status) ? null : event.at,
  };
}
