import { formatCountOf } from "@/lib/format";
import type { Tone } from "@/lib/status";
import type { Stats } from "./api";

export interface Finding {
  tone: Tone;
  text: string;
  /** Where more is told. */
  to?: "failures" | "operations";
}

/** How many runs there were. */
export function totalRuns({ runs }: Stats): number {
  return Object.values(runs.by_status).reduce((sum, runsOf) => sum + runsOf, 0);
}

/** Whether there is nothing to tell of: nothing came, nothing goes on, and nothing is missing. */
export function isQuiet(stats: Stats): boolean {
  const { accepted, drift } = stats.ingest;
  return totalRuns(stats) === 0 && accepted === 0 && drift === 0 && stats.running.length === 0;
}

/** How many runs failed or timed out. */
export function failedRuns({ runs }: Stats): number {
  return runs.by_status.failed + runs.by_status.timed_out;
}

/** What needs attention, the worst first; that nothing does, where that is so. */
export function findTrouble(stats: Stats): Finding[] {
  const found: Finding[] = [];
  const { drift } = stats.ingest;
  if (drift !== 0) {
    found.push({ tone: "failed", text: `${formatCountOf(drift, "accepted event")} cannot be accounted for.` });
  }
  const failed = failedRuns(stats);
  if (failed > 0) {
    const where = stats.failing_workflows.length;
    // The list ends at ten: beyond, "10 workflows" would be untrue.
    const places = where === 0 || where >= 10 ? "" : ` in ${formatCountOf(where, "workflow")}`;
    found.push({ tone: "failed", text: `${formatCountOf(failed, "run")} failed${places}.`, to: "failures" });
  }
  if (stats.queue_depth > 0 && stats.steps_in_flight === 0 && stats.running.length === 0) {
    found.push({ tone: "queued", text: `${formatCountOf(stats.queue_depth, "run")} wait for a worker.`, to: "operations" });
  }
  return found.length > 0 ? found : [{ tone: "succeeded", text: "Nothing needs attention." }];
}
