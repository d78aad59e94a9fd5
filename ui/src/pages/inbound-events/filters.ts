import { OUTCOMES, type Outcome } from "@/features/inbound-events/outcome";
import { readId } from "@/lib/id";
import { type Period, beginOf, readPeriod } from "@/lib/period";

/** Which events are listed; it lives in the address of the page. */
export interface InboundFilters {
  outcome?: Outcome[];
  workflow?: string;
  /** One of the workflow, where that is named as well. */
  trigger?: string;
  period?: Period;
}

/** The filters of an address; whatever is none is left out. */
export function readInboundFilters(search: Record<string, unknown>): InboundFilters {
  const wanted = Array.isArray(search["outcome"]) ? search["outcome"] : [search["outcome"]];
  const outcome = OUTCOMES.filter((known) => wanted.includes(known));
  const workflow = readId(search["workflow"]);
  const trigger = readId(search["trigger"]);
  const period = readPeriod(search["period"]);
  return {
    ...(outcome.length > 0 ? { outcome } : {}),
    ...(workflow === undefined ? {} : { workflow }),
    ...(trigger === undefined ? {} : { trigger }),
    ...(period === undefined ? {} : { period }),
  };
}

/** The query of the API for these filters. */
export function toQuery(filters: InboundFilters, now: number) {
  return {
    outcome: filters.outcome?.join(",") ?? null,
    workflow_id: filters.workflow ?? null,
    trigger_id: filters.trigger ?? null,
    since: beginOf(filters.period, now),
  };
}
