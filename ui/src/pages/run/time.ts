import type { Schemas } from "@/lib/api";
import { isLive } from "@/lib/status";
import type { Run, Step } from "./api";

export type TimeSpent = Schemas["TimeSpent"];
type Part = Exclude<keyof TimeSpent, "total_ms">;

/** How long ago the run was read, going by its own account of its time; 0 for one that has ended. */
export function ageOf(run: Pick<Run, "status" | "created_at" | "time">, now: number): number {
  if (!isLive(run.status)) return 0;
  return Math.max(0, now - Date.parse(run.created_at) - run.time.total_ms);
}

/** The time of a run with what has passed since it was read. */
export function timeOfRun(run: Pick<Run, "status" | "created_at" | "time" | "concurrency" | "steps">, now: number): TimeSpent {
  return grow(run.time, partOfRun(run), ageOf(run, now));
}

/** The time of a step with what has passed since its run was read. */
export function timeOfStep(step: Pick<Step, "status" | "reason">, time: TimeSpent, age: number): TimeSpent {
  return grow(time, partOfStep(step), age);
}

function grow(time: TimeSpent, part: Part | undefined, by: number): TimeSpent {
  return part === undefined || by === 0 ? time : { ...time, [part]: time[part] + by, total_ms: time.total_ms + by };
}

/** What a run does with its time just now. */
function partOfRun(run: Pick<Run, "status" | "concurrency" | "steps">): Part | undefined {
  if (run.status === "queued") return run.concurrency?.slot_at === null ? "limited_ms" : "queued_ms";
  if (run.status === "waiting") return "waiting_ms";
  if (run.status !== "running") return undefined;
  const isAtWork = run.steps.some((step) => step.status === "running");
  return !isAtWork && run.steps.some((step) => step.status === "retrying") ? "backing_off_ms" : "running_ms";
}

function partOfStep(step: Pick<Step, "status" | "reason">): Part | undefined {
  if (step.status === "waiting") return "waiting_ms";
  if (step.status === "retrying") return "backing_off_ms";
  if (step.status !== "running") return undefined;
  return step.reason === "held_back" ? "limited_ms" : "running_ms";
}
