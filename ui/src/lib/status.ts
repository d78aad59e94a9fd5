import type { Schemas } from "./api";

export type RunStatus = Schemas["RunStatus"];
export type StepStatus = Schemas["StepStatus"];

/** What is seen: colour, lamp and bar go by it. Every status of a run or step is one of them. */
export const TONES = ["succeeded", "running", "failed", "retrying", "waiting", "queued", "cancelled", "skipped"] as const;
export type Tone = (typeof TONES)[number];

/** How a state is seen and said. */
export interface Look {
  tone: Tone;
  label: string;
}

export const STATUS_LOOKS = {
  queued: { tone: "queued", label: "Queued" },
  pending: { tone: "queued", label: "Pending" },
  running: { tone: "running", label: "Running" },
  waiting: { tone: "waiting", label: "Waiting" },
  retrying: { tone: "retrying", label: "Retrying" },
  succeeded: { tone: "succeeded", label: "Succeeded" },
  failed: { tone: "failed", label: "Failed" },
  timed_out: { tone: "failed", label: "Timed out" },
  cancelled: { tone: "cancelled", label: "Cancelled" },
  skipped: { tone: "skipped", label: "Skipped" },
} satisfies Record<RunStatus | StepStatus, Look>;

export const RUN_STATUSES = [
  "queued",
  "running",
  "waiting",
  "succeeded",
  "failed",
  "cancelled",
  "timed_out",
] as const satisfies readonly RunStatus[];

/** Whether a run of this status goes on. */
export function isLive(status: RunStatus): boolean {
  return status === "queued" || status === "running" || status === "waiting";
}
