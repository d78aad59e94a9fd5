import type { LiveEvent } from "@/lib/live";
import { madeAt } from "@/lib/moment-field";
import type { RunFilters } from "./filters";

export const NO_NEWS: ReadonlySet<string> = new Set();

/** The runs that the filters let through and that have no row yet, after what the stream has told of `strangers`. */
export function noteNews(news: ReadonlySet<string>, strangers: readonly LiveEvent[], filters: RunFilters): ReadonlySet<string> {
  const noted = new Set(news);
  for (const { run_id: id, workflow_id: workflow, type, status } of strangers) {
    if (filters.workflow !== undefined && filters.workflow !== workflow) continue;
    if (!isWithin(id, filters)) continue;
    const isWanted = filters.status === undefined ? noted.has(id) || type === "run.queued" : filters.status.some((one) => one === status);
    if (isWanted) noted.add(id);
    else noted.delete(id);
  }
  return noted;
}

/** Whether a run was created between the two moments: its id begins with the time. */
function isWithin(id: string, { from, to }: RunFilters): boolean {
  const at = madeAt(id);
  return !(from !== undefined && at < Date.parse(from)) && !(to !== undefined && at >= Date.parse(to));
}

/** What is said of that many new runs; infinitely many: nobody knows what was missed. */
export function tellNews(news: number, { trigger, q }: RunFilters): string {
  if (!Number.isFinite(news)) return "Something was missed: show the newest";
  // The stream does not tell what these go by.
  if (trigger !== undefined || q !== undefined) return "There may be new runs";
  return news === 1 ? "1 new run" : `${news} new runs`;
}
