import type { Tone } from "@/lib/status";
import { STATUS_LOOKS } from "@/lib/status";
import type { Run, Step } from "./api";

export type PartKind = "queued" | "limited" | "running" | "backing_off" | "waiting";

/** A stretch of a step's time, in milliseconds since the run was created. */
export interface Part {
  kind: PartKind;
  from: number;
  to: number;
  tone: Tone;
  /** The attempt that it belongs to; 0 where the step makes none. */
  attempt: number;
}

type StepTimes = Pick<Step, "status" | "attempts" | "started_at" | "finished_at" | "waiting" | "type" | "time">;

const TERMINAL: readonly string[] = ["succeeded", "failed", "skipped", "cancelled"];
/** The reasons for which an attempt that failed is followed by another one. */
const RETRIED: readonly string[] = ["timeout", "connection", "status", "error"];
/** Steps that wait by nature: their time is no work. */
const PATIENT: readonly string[] = ["delay", "wait", "approval", "workflow"];

/** How long the run has taken from its creation until its end, or until `now`. Never nothing: it is divided by. */
export function lengthOf(run: Pick<Run, "created_at" | "finished_at">, now: number): number {
  const end = run.finished_at === null ? now : Date.parse(run.finished_at);
  return Math.max(1, end - Date.parse(run.created_at));
}

/** What a step did, and when: for each attempt the time in the queue, the work, and the pause before the next one. */
export function partsOf(step: StepTimes, createdAt: string, end: number): Part[] {
  const zero = Date.parse(createdAt);
  const clamp = (at: number) => Math.min(Math.max(at, 0), end);
  const parts: Part[] = [];
  const add = (part: Part) => {
    const [from, to] = [clamp(part.from), clamp(part.to)];
    if (to > from || part.kind === "running") parts.push({ ...part, from, to: Math.max(from, to) });
  };
  let before: number | undefined;
  // What lies behind the last attempt of a round is no pause: the run had ended, until somebody retried it.
  let isPause = false;
  for (const attempt of step.attempts) {
    if (attempt.started_at === null) continue;
    const start = Date.parse(attempt.started_at) - zero;
    const queued = Math.max(before ?? 0, start - attempt.queued_ms);
    const limited = Math.max(queued, start - attempt.limited_ms);
    const number = attempt.number;
    if (before !== undefined && isPause) add({ kind: "backing_off", from: before, to: queued, tone: "retrying", attempt: number });
    add({ kind: "queued", from: queued, to: limited, tone: "queued", attempt: number });
    add({ kind: "limited", from: limited, to: start, tone: "queued", attempt: number });
    const stop = attempt.finished_at === null ? end : Date.parse(attempt.finished_at) - zero;
    add({ kind: "running", from: start, to: stop, tone: toneOf(attempt.status, attempt.finished_at), attempt: number });
    before = stop;
    isPause = RETRIED.includes(attempt.reason);
  }
  if (step.attempts.length > 0) {
    if (step.status === "retrying" && before !== undefined) {
      add({ kind: "backing_off", from: before, to: end, tone: "retrying", attempt: step.attempts.length + 1 });
    }
    return parts;
  }
  if (step.started_at === null) return parts;
  const from = Date.parse(step.started_at) - zero;
  const to = step.finished_at === null ? end : Date.parse(step.finished_at) - zero;
  const waits = step.waiting !== null || PATIENT.includes(step.type);
  const tone = waits && step.status === "succeeded" ? "waiting" : STATUS_LOOKS[step.status].tone;
  add({ kind: waits ? "waiting" : "running", from, to, tone, attempt: 0 });
  return parts;
}

/** How long a step has taken, until its end or until now, which is `length` after its run's creation; undefined before it began. */
export function tookOf(step: Pick<Step, "status" | "started_at" | "time">, createdAt: string, length: number): number | undefined {
  if (step.started_at === null) return undefined;
  // From its end until a retry it did nothing.
  if (TERMINAL.includes(step.status)) return step.time === null ? undefined : step.time.total_ms - step.time.ended_ms;
  return Math.max(0, length - (Date.parse(step.started_at) - Date.parse(createdAt)));
}

/** Which steps are listed. */
export interface StepFilter {
  text: string;
  /** Those alone that failed, or had an attempt that did. */
  isTroubled: boolean;
}

/** Whether something went wrong with a step, be it only for a while. */
export function isTroubled(step: Pick<Step, "status" | "attempts" | "items">): boolean {
  return step.status === "failed" || step.attempts.some((attempt) => attempt.status === "failed") || (step.items?.failed ?? 0) > 0;
}

/** The steps that a filter lets through; its text may be part of a name, of an id, or of a type. */
export function filterSteps(steps: readonly Step[], filter: StepFilter): readonly Step[] {
  const text = filter.text.trim().toLowerCase();
  if (text === "" && !filter.isTroubled) return steps;
  const says = (part: string | null) => part !== null && part.toLowerCase().includes(text);
  return steps.filter((step) => (!filter.isTroubled || isTroubled(step)) && (says(step.name) || says(step.id) || says(step.type)));
}

/** Where in the time of the run a step lies, from 0 to 1: its last attempt, where it made several; undefined before it began. */
export function middleOf(step: Pick<Step, "status" | "started_at" | "time" | "attempts">, createdAt: string, length: number): number | undefined {
  if (step.started_at === null) return undefined;
  const last = step.attempts.length > 1 ? step.attempts.at(-1)?.started_at : undefined;
  const from = Date.parse(last ?? step.started_at) - Date.parse(createdAt);
  const half = last == null ? (tookOf(step, createdAt, length) ?? 0) / 2 : 0;
  return Math.min(1, Math.max(0, from + half) / length);
}

function toneOf(status: string, finishedAt: string | null): Tone {
  if (finishedAt === null) return "running";
  return status === "succeeded" || status === "failed" ? status : "cancelled";
}

const ROUND = [1, 2, 5, 10];

/** Round times for the scale, at most `most` of them, in milliseconds. */
export function ticksOf(length: number, most: number): number[] {
  const rough = length / most;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, size * (ROUND.find((factor) => factor * size >= rough) ?? 10));
  const ticks: number[] = [];
  for (let at = 0; at <= length; at += step) ticks.push(at);
  return ticks;
}
