import { readId } from "@/lib/id";
import { type Period, beginOf, readPeriod } from "@/lib/period";
import { readSearchText } from "@/lib/search-text";
import { RUN_STATUSES, type RunStatus } from "@/lib/status";

export const TRIGGER_TYPES = ["manual", "api", "webhook", "schedule", "event", "workflow"] as const;

/** Which runs are listed; it lives in the address of the page. */
export interface RunFilters {
  status?: RunStatus[];
  workflow?: string;
  trigger?: (typeof TRIGGER_TYPES)[number];
  period?: Period;
  q?: string;
}

/** The filters of an address; whatever is none is left out. */
export function readRunFilters(search: Record<string, unknown>): RunFilters {
  const wanted = Array.isArray(search["status"]) ? search["status"] : [search["status"]];
  const status = RUN_STATUSES.filter((known) => wanted.includes(known));
  const trigger = TRIGGER_TYPES.find((known) => known === search["trigger"]);
  const q = readSearchText(search["q"]);
  const workflow = readId(search["workflow"]);
  const period = readPeriod(search["period"]);
  return {
    ...(status.length > 0 ? { status } : {}),
    ...(workflow === undefined ? {} : { workflow }),
    ...(trigger === undefined ? {} : { trigger }),
    ...(period === undefined ? {} : { period }),
    ...(q === undefined ? {} : { q: q.slice(0, 200) }),
  };
}

/** The query of the API for these filters. */
export function toQuery(filters: RunFilters, now: number) {
  return {
    status: filters.status?.join(",") ?? null,
    workflow_id: filters.workflow ?? null,
    trigger_type: filters.trigger ?? null,
    since: beginOf(filters.period, now),
    q: filters.q ?? null,
  };
}
