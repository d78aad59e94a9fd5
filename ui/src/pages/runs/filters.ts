import { readId } from "@/lib/id";
import { readMoment } from "@/lib/moment-field";
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
  /** Between two moments, of which one may be left out; there is no period then. */
  from?: string;
  to?: string;
  q?: string;
}

/** The filters of an address; whatever is none is left out. */
export function readRunFilters(search: Record<string, unknown>): RunFilters {
  const wanted = Array.isArray(search["status"]) ? search["status"] : [search["status"]];
  const status = RUN_STATUSES.filter((known) => wanted.includes(known));
  const trigger = TRIGGER_TYPES.find((known) => known === search["trigger"]);
  const q = readSearchText(search["q"]);
  const workflow = readId(search["workflow"]);
  const [from, to] = [readMoment(search["from"]), readMoment(search["to"])];
  const period = from === undefined && to === undefined ? readPeriod(search["period"]) : undefined;
  return {
    ...(status.length > 0 ? { status } : {}),
    ...(workflow === undefined ? {} : { workflow }),
    ...(trigger === undefined ? {} : { trigger }),
    ...(period === undefined ? {} : { period }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(q === undefined ? {} : { q: q.slice(0, 200) }),
  };
}

/** The query of the API for these filters. */
export function toQuery(filters: RunFilters, now: number) {
  return {
    status: filters.status?.join(",") ?? null,
    workflow_id: filters.workflow ?? null,
    trigger_type: filters.trigger ?? null,
    since: filters.from ?? beginOf(filters.period, now),
    until: filters.to ?? null,
    q: filters.q ?? null,
  };
}
