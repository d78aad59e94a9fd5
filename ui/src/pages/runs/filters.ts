import { readSearchText } from "@/lib/search-text";
import { RUN_STATUSES, type RunStatus } from "@/lib/status";

export const TRIGGER_TYPES = ["manual", "api", "webhook", "schedule", "event", "workflow"] as const;
export const PERIODS = { "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days" } as const;
export type Period = keyof typeof PERIODS;

const HOUR_MS = 3_600_000;
const PERIOD_MS = { "1h": HOUR_MS, "24h": 24 * HOUR_MS, "7d": 7 * 24 * HOUR_MS } satisfies Record<Period, number>;
/** So that the same filters ask for the same runs for a while, and not for others at every look. */
const ROUND_MS = 60_000;

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
  const period = (Object.keys(PERIODS) as Period[]).find((known) => known === search["period"]);
  return {
    ...(status.length > 0 ? { status } : {}),
    ...(isUuid(search["workflow"]) ? { workflow: search["workflow"] } : {}),
    ...(trigger === undefined ? {} : { trigger }),
    ...(period === undefined ? {} : { period }),
    ...(q === undefined ? {} : { q: q.slice(0, 200) }),
  };
}

/** The query of the API for these filters. */
export function toQuery(filters: RunFilters, now: number) {
  const since = filters.period === undefined ? undefined : now - PERIOD_MS[filters.period];
  return {
    status: filters.status?.join(",") ?? null,
    workflow_id: filters.workflow ?? null,
    trigger_type: filters.trigger ?? null,
    since: since === undefined ? null : new Date(Math.floor(since / ROUND_MS) * ROUND_MS).toISOString(),
    q: filters.q ?? null,
  };
}

function isUuid(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
}
