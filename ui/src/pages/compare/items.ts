import type { Schemas } from "@/lib/api";
import { type ComparedStep, compareSteps, firstDifference } from "./compare";

export type Item = Schemas["IterationView"];
type Page = Schemas["Page_IterationView_"];

/** So many items of a loop are compared: what differs later is seldom the cause. */
export const MOST_ITEMS = 1_000;

/** An item of a loop in both runs. */
export interface ComparedItem {
  path: string;
  a: Item | undefined;
  b: Item | undefined;
  steps: ComparedStep[];
}

/** What is known of a loop's items in two runs. */
export interface LoopDifference {
  /** The first item that differs; undefined where none does among those that were compared. */
  first: ComparedItem | undefined;
  /** How many were found to be the same. */
  same: number;
  /** Whether that were all. */
  isWhole: boolean;
}

/** One of the two runs: when it was created, and how its items are read, page by page. */
export interface Side {
  created_at: string;
  read: (cursor: string | null) => Promise<Page>;
}

/** The first item in which two runs of a loop differ; no page beyond it is read. */
export async function findFirstDifference(a: Side, b: Side): Promise<LoopDifference> {
  const [left, right] = [itemsOf(a), itemsOf(b)];
  for (let same = 0; same < MOST_ITEMS; same += 1) {
    const [one, other] = (await Promise.all([left.next(), right.next()])).map(({ value }) => value);
    if (one === undefined && other === undefined) return { first: undefined, same, isWhole: true };
    const item = compareItem(a, one, b, other);
    if (item !== undefined) return { first: item, same, isWhole: true };
  }
  return { first: undefined, same: MOST_ITEMS, isWhole: false };
}

/** The item that comes first in one of them, where the runs differ in it. */
function compareItem(a: Side, one: Item | undefined, b: Side, other: Item | undefined): ComparedItem | undefined {
  if (one === undefined || other === undefined || one.index !== other.index) {
    const isOnlyInA = other === undefined || (one !== undefined && one.index < other.index);
    const only = isOnlyInA ? one : other;
    return { path: only?.path ?? "", a: isOnlyInA ? one : undefined, b: isOnlyInA ? undefined : other, steps: [] };
  }
  const steps = compareSteps({ created_at: a.created_at, steps: one.steps }, { created_at: b.created_at, steps: other.steps });
  if (firstDifference(steps) === undefined && one.status === other.status) return undefined;
  return { path: one.path, a: one, b: other, steps };
}

async function* itemsOf({ read }: Side): AsyncGenerator<Item, undefined> {
  let cursor: string | null = null;
  do {
    const page: Page = await read(cursor);
    yield* page.items;
    cursor = page.next_cursor;
  } while (cursor !== null);
  return undefined;
}
