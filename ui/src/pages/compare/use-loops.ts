import { useQueries } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import type { Run } from "@/features/runs/run";
import { loopQuery } from "./api";
import type { ComparedStep } from "./compare";

/** So many loops are asked for by one press: each may be ten calls. */
const MOST_LOOPS = 10;
const NONE: ReadonlySet<string> = new Set();

/** What is known of the items of loops, and the way to know more. */
export interface Loops {
  steps: readonly ComparedStep[];
  /** Those whose items were asked for. */
  asked: ReadonlySet<string>;
  /** Ask for the items of a loop. */
  ask: (path: string) => void;
  /** Those whose items nobody has asked for. */
  unread: number;
  /** How many of them `askMore` asks for. */
  next: number;
  askMore: () => void;
  isPending: boolean;
  isFailed: boolean;
}

/** Whether both runs have it, and it has items. */
export function isLoopOfBoth({ type, a, b }: ComparedStep): boolean {
  return type === "foreach" && a?.items != null && b?.items != null;
}

/**
 * The steps with what their items tell: a loop may give the same although an item of it went another way.
 *
 * Items are many: those of a loop are compared once somebody asks for them.
 */
export function useLoops(a: Run, b: Run, steps: readonly ComparedStep[]): Loops {
  const [asked, setAsked] = useState(NONE);
  const ask = useCallback((...paths: string[]) => {
    setAsked((before) => (paths.every((path) => before.has(path)) ? before : new Set([...before, ...paths])));
  }, []);
  const loops = steps.filter(isLoopOfBoth);
  const known = loops.filter(({ path }) => asked.has(path));
  const unread = loops.filter(({ path }) => !asked.has(path));
  const next = unread.slice(0, MOST_LOOPS);
  const found = useQueries({ queries: known.map(({ path }) => loopQuery(a, b, path)) });
  const differing = new Set(known.filter((_, index) => found[index]?.data?.first !== undefined).map(({ path }) => path));
  return {
    steps: steps.map((step) => (differing.has(step.path) ? { ...step, differences: [...step.differences, "items" as const] } : step)),
    asked,
    ask,
    unread: unread.length,
    next: next.length,
    askMore: () => ask(...next.map(({ path }) => path)),
    isPending: found.some((query) => query.isPending),
    isFailed: found.some((query) => query.isError && query.data === undefined),
  };
}
