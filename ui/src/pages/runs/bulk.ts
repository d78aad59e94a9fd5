import { type Schemas, api, unwrap } from "@/lib/api";
import { type RunFilters, toQuery } from "./filters";

export type BulkAction = "cancel" | "retry";
export type BulkOutcome = Schemas["BulkOutcome"];
export type BulkFilter = Schemas["BulkFilter"];

/** Which runs are meant: those that were ticked, or all that the filters let through. */
export type Meant = { ids: readonly string[] } | { filters: RunFilters };

/** As the API is told. What begins after `now` is not meant: what is done is what was counted. */
export function toBulkFilter(meant: Meant, now: number): BulkFilter {
  const nothing = { workflow_id: null, trigger_type: null, since: null, until: null, q: null };
  if ("ids" in meant) return { ...nothing, ids: [...meant.ids] };
  const { status, workflow_id, trigger_type, since, until, q } = toQuery(meant.filters, now);
  return {
    workflow_id,
    trigger_type,
    since,
    q,
    until: new Date(until === null ? now : Math.min(now, Date.parse(until))).toISOString(),
    ...(status === null ? {} : { status: meant.filters.status ?? [] }),
  };
}

/** How many runs it would be. */
export function countBulk(action: BulkAction, filter: BulkFilter, signal: AbortSignal): Promise<BulkOutcome> {
  return unwrap(api.POST("/v1/runs/bulk", { body: { action, filter, dry_run: true, cursor: null }, signal }));
}

/** How the work is followed and brought to an end. */
export interface Course {
  /** No call after this one: it comes to its end, so that it is known how many it was done to. */
  stop: AbortSignal;
  /** Nobody waits any more: the call under way is given up as well. */
  gone: AbortSignal;
  /** How many it was done to so far. */
  onProgress: (done: number) => void;
}

export interface BulkEnd {
  done: number;
  /** It went through all of them. */
  isWhole: boolean;
}

/** Do it, call by call, until all are through or somebody ends it. Raises ApiProblem, Unreachable, or AbortError once `gone`. */
export async function applyBulk(action: BulkAction, filter: BulkFilter, { stop, gone, onProgress }: Course): Promise<BulkEnd> {
  let done = 0;
  let cursor: string | null = null;
  do {
    const outcome: BulkOutcome = await unwrap(api.POST("/v1/runs/bulk", { body: { action, filter, dry_run: false, cursor }, signal: gone }));
    done += outcome.done;
    cursor = outcome.next_cursor;
    onProgress(done);
    gone.throwIfAborted();
  } while (cursor !== null && !stop.aborted);
  return { done, isWhole: cursor === null };
}

/** "14 succeeded, 2 waiting": what it is not for. */
export function describeSkipped(skipped: Readonly<Record<string, number>>): string {
  return Object.entries(skipped)
    .map(([status, count]) => `${count} ${status.replace("_", " ")}`)
    .join(", ");
}
