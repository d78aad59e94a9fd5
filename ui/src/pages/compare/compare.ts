import type { Run, Step } from "@/features/runs/run";
import { WholeDouble, writeExact } from "@/lib/exact-json";

/** In what two runs of a step differ. */
export type Difference = "missing" | "status" | "error" | "output" | "input" | "items";

export interface ComparedStep {
  path: string;
  title: string;
  type: string;
  a: Step | undefined;
  b: Step | undefined;
  differences: Difference[];
  /** How much longer it took in b than in a, in milliseconds; undefined where it has not begun in one of them. */
  delta: number | undefined;
}

/** Steps of a run: all of them, or those of an item of a loop; times are told from its creation. */
type Stepped = Pick<Run, "created_at" | "steps">;

/** The steps of two runs beside each other, in the order in which they began. */
export function compareSteps(a: Stepped, b: Stepped): ComparedStep[] {
  const left = new Map(a.steps.map((step) => [step.path, step]));
  const right = new Map(b.steps.map((step) => [step.path, step]));
  const paths = [...new Set([...left.keys(), ...right.keys()])];
  const begun = new Map(paths.map((path) => [path, Math.min(beginOf(a, left.get(path)), beginOf(b, right.get(path)))]));
  // The sort is stable: what began at once, or never, stays in the order of the definition.
  paths.sort((one, other) => compareNumbers(begun.get(one), begun.get(other)));
  return paths.map((path) => compareStep(path, left.get(path), right.get(path)));
}

/** The first step in which the runs differ; undefined where they went the same way with the same data. */
export function firstDifference(steps: readonly ComparedStep[]): ComparedStep | undefined {
  return steps.find((step) => step.differences.length > 0);
}

/** How long a run took, from its creation; undefined while it goes on. */
export function lengthOf(run: Pick<Run, "created_at" | "finished_at">): number | undefined {
  return run.finished_at === null ? undefined : Date.parse(run.finished_at) - Date.parse(run.created_at);
}

/** Whether two JSON values say the same; the order of keys does not count. Of large values, what is known of them counts. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a instanceof WholeDouble || b instanceof WholeDouble) return writeExact(a) === writeExact(b);
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [left, right] = [withoutRef(a), withoutRef(b)];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => key in right && isSame(left[key], right[key]));
}

function compareStep(path: string, a: Step | undefined, b: Step | undefined): ComparedStep {
  const step = a ?? b;
  const took = [tookOf(a), tookOf(b)] as const;
  return {
    path,
    title: step?.name ?? step?.id ?? path,
    type: step?.type ?? "",
    a,
    b,
    differences: differencesOf(a, b),
    delta: took[0] === undefined || took[1] === undefined ? undefined : took[1] - took[0],
  };
}

/** A step that never ran has a time too, in which it did nothing. */
function tookOf(step: Step | undefined): number | undefined {
  return step?.started_at == null ? undefined : step.time?.total_ms;
}

function differencesOf(a: Step | undefined, b: Step | undefined): Difference[] {
  if (a === undefined || b === undefined) return ["missing"];
  const found: Difference[] = [];
  if (a.status !== b.status || a.port !== b.port) found.push("status");
  if (!isSame(a.error, b.error)) found.push("error");
  if (!isSame(a.input, b.input)) found.push("input");
  if (!isSame(a.output, b.output)) found.push("output");
  return found;
}

/** The place where a large value is kept is another one in each run. */
function withoutRef(value: object): Record<string, unknown> {
  const entries = Object.entries(value);
  const isLarge = entries.length === 3 && "ref" in value && "size" in value && "preview" in value;
  return Object.fromEntries(isLarge ? entries.filter(([key]) => key !== "ref") : entries);
}

function beginOf(run: Stepped, step: Step | undefined): number {
  return step?.started_at == null ? Number.POSITIVE_INFINITY : Date.parse(step.started_at) - Date.parse(run.created_at);
}

function compareNumbers(one = Number.POSITIVE_INFINITY, other = Number.POSITIVE_INFINITY): number {
  return one === other ? 0 : one - other;
}
