import type { RunStatus, Tone } from "@/lib/status";
import { STATUS_LOOKS } from "@/lib/status";

/** How a run looks as one mark of many: its height says as much as its colour. */
export interface MarkShape {
  /** Of the row's height, from 0 to 1. */
  height: number;
  look: string;
}

export const MARK_SHAPES = {
  succeeded: { height: 0.55, look: "fill-succeeded" },
  failed: { height: 1, look: "fill-failed" },
  cancelled: { height: 0.25, look: "fill-cancelled" },
  running: { height: 0.75, look: "fill-none stroke-running" },
  waiting: { height: 0.75, look: "fill-none stroke-waiting [stroke-dasharray:2_2]" },
  queued: { height: 0.4, look: "fill-none stroke-queued" },
  retrying: { height: 0.75, look: "fill-none stroke-retrying" },
  skipped: { height: 0.25, look: "fill-none stroke-skipped" },
} as const satisfies Record<Tone, MarkShape>;

/** "Last 20 runs, the newest first: 1 failed, 19 succeeded." What the marks say to somebody who does not see them. */
export function describeRuns(statuses: readonly RunStatus[]): string {
  if (statuses.length === 0) return "No runs yet";
  const counts = new Map<RunStatus, number>();
  for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
  const parts = [...counts].map(([status, count]) => `${count} ${STATUS_LOOKS[status].label.toLowerCase()}`);
  const many = statuses.length === 1 ? "The last run" : `The last ${statuses.length} runs, the newest first`;
  return `${many}: ${parts.join(", ")}`;
}
