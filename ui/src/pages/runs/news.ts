import type { LiveEvent } from "@/lib/live";
import { madeAt } from "@/lib/moment-field";
import { beginOf } from "@/lib/period";
import type { RunFilters } from "./filters";

export const NO_NEWS: ReadonlySet<string> = new Set();

/** What the list is about. */
interface Listed {
  filters: RunFilters;
  now: number;
  /** The last row where more are to come: what is older belongs further down, and is not new. */
  last?: string | undefined;
}

/** The runs that the filters let through and that have no row yet, after what the stream has told of `strangers`. */
export function noteNews(news: ReadonlySet<string>, strangers: readonly LiveEvent[], { filters, now, last }: Listed): ReadonlySet<string> {
  const noted = new Set(news);
  for (const { run_id: id, workflow_id: workflow, type, status } of strangers) {
    if (filters.workflow !== undefined && filters.workflow !== workflow) continue;
    if (!isWithin(id, filters, now) || (last !== undefined && id < last)) continue;
    const isWanted = filters.status === undefined ? noted.has(id) || type === "run.queued" : filters.status.some((one) => one === status);
    if (isWanted) noted.add(id);
    else noted.delete(id);
  }
  return noted;
}

/** Whether a run was created in the period, or between the two moments: its id begins with the time. */
function isWithin(id: string, { from, to, period }: RunFilters, now: number): boolean {
  const at = madeAt(id);
  const since = from ?? beginOf(period, now) ?? undefined;
  return !(since !== undefined && at < Date.parse(since)) && !(to !== undefined && at >= Date.parse(to));
}

/** What is said of that many new runs; infinitely many: nobody knows what was missed. */
export function tellNews(news: number, { trigger, q }: RunFilters): string {
  if (!Number.isFinite(news)) return "Something was missed: show the newest";
  // The stream does not tell what these go by.
  if (trigger !== undefined || q !== undefined) return "There may be new runs";
  return news === 1 ? "1 new run" : `${news} new runs`;
}
