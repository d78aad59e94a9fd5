import { type InfiniteData, infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import type { CanvasStep } from "@/features/graph/graph-canvas";
import type { Run } from "@/features/runs/run";
import { type Schemas, api, unwrap, unwrapExact } from "@/lib/api";

export { type Run, type Step, nameVersion, runQuery } from "@/features/runs/run";

export type Item = Schemas["IterationView"];
export type RunEvent = Schemas["RunEventView"];
export type EventPages = InfiniteData<Schemas["Page_RunEventView_"], string | null>;

/** The steps of the definition that a run is of. Those of a version are the same in every run of it; a draft changes between its tests. */
export function stepsQuery({ id, workflow_id: workflowId, version }: Pick<Run, "id" | "workflow_id" | "version">) {
  return queryOptions({
    queryKey: ["run-steps", workflowId, version === 0 ? id : version],
    queryFn: async ({ signal }) => {
      const found = await unwrap(api.GET("/v1/runs/{run_id}/definition", { params: { path: { run_id: id } }, signal }));
      return (found.definition as { steps?: CanvasStep[] }).steps ?? [];
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function eventsKey(id: string) {
  return ["run-events", id] as const;
}

export function eventsQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: eventsKey(id),
    queryFn: ({ pageParam, signal }) =>
      unwrapExact<Schemas["Page_RunEventView_"]>(
        api.GET("/v1/runs/{run_id}/events", {
          params: { path: { run_id: id }, query: { limit: 200, cursor: pageParam } },
          parseAs: "text",
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
}

/** Which items of a loop are read. */
export interface ItemFilter {
  /** From this one on, counted from 0. */
  from: number;
  /** Those alone that failed. */
  isFailed: boolean;
}

export function itemsQuery(id: string, parent: string, { from, isFailed }: ItemFilter) {
  return infiniteQueryOptions({
    queryKey: ["run", id, "items", parent, from, isFailed],
    queryFn: ({ pageParam, signal }) =>
      unwrapExact<Schemas["Page_IterationView_"]>(
        api.GET("/v1/runs/{run_id}/steps", {
          params: { path: { run_id: id }, query: { parent, limit: 50, cursor: pageParam, status: isFailed ? "failed" : null } },
          parseAs: "text",
          signal,
        }),
      ),
    // Items are in order: the cursor is the number of the next one.
    initialPageParam: from === 0 ? null : String(from),
    getNextPageParam: (page) => page.next_cursor,
  });
}

/** The journal with one event more; undefined where some between are missing, so that it must be read anew. */
export function appendEvent(data: EventPages, event: RunEvent): EventPages | undefined {
  const last = data.pages.at(-1);
  // What is not read to its end yet brings the event by itself, further down.
  if (last === undefined || last.next_cursor !== null) return data;
  const seq = last.items.at(-1)?.seq ?? 0;
  if (event.seq <= seq) return data;
  if (event.seq !== seq + 1) return undefined;
  return { ...data, pages: [...data.pages.slice(0, -1), { ...last, items: [...last.items, event] }] };
}
