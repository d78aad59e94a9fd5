import { useQueries } from "@tanstack/react-query";
import type { Run } from "@/features/runs/run";
import { loopQuery } from "./api";
import type { ComparedStep } from "./compare";

/** The items of so many loops are compared unasked; those of another one once it is chosen. */
const MOST_LOOPS = 10;

/** Whether both runs have it, and it has items. */
export function isLoopOfBoth({ type, a, b }: ComparedStep): boolean {
  return type === "foreach" && a?.items != null && b?.items != null;
}

/** The steps with what their items tell: a loop may give the same although an item of it went another way. */
export function useLoops(a: Run, b: Run, steps: readonly ComparedStep[]) {
  const loops = steps.filter(isLoopOfBoth);
  const found = useQueries({ queries: loops.slice(0, MOST_LOOPS).map(({ path }) => loopQuery(a, b, path)) });
  const differing = new Set(loops.filter((_, index) => found[index]?.data?.first !== undefined).map(({ path }) => path));
  return {
    steps: steps.map((step) => (differing.has(step.path) ? { ...step, differences: [...step.differences, "items" as const] } : step)),
    isPending: found.some((query) => query.isPending),
    isFailed: found.some((query) => query.isError && query.data === undefined),
    unread: Math.max(0, loops.length - MOST_LOOPS),
  };
}
