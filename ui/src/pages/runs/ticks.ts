import { useCallback, useEffect, useState } from "react";
import type { RunFilters } from "./filters";

/** The most that something can be done to one by one. */
export const MOST_TICKED = 1_000;

export interface Ticks {
  ticked: ReadonlySet<string>;
  /** The one that was ticked or unticked last: where a stretch begins. */
  last: string | undefined;
}

export const NO_TICKS: Ticks = { ticked: new Set(), last: undefined };

/** What is ticked after this one was, or unticked. */
export function tickOne({ ticked }: Ticks, id: string): Ticks {
  return { ticked: put(ticked, [id], !ticked.has(id)), last: id };
}

/** What is ticked after all from the last one to this one became what this one becomes; the one alone where the last is not listed. */
export function tickStretch(ticks: Ticks, id: string, ids: readonly string[]): Ticks {
  const [from, to] = [ids.indexOf(ticks.last ?? ""), ids.indexOf(id)];
  if (from < 0 || to < 0) return tickOne(ticks, id);
  const stretch = from <= to ? ids.slice(from, to + 1) : ids.slice(to, from + 1).reverse();
  return { ticked: put(ticks.ticked, stretch, !ticks.ticked.has(id)), last: id };
}

/** With these as well, as far as there is room for them, or without them. */
function put(before: ReadonlySet<string>, ids: readonly string[], isTicked: boolean): ReadonlySet<string> {
  const after = new Set(before);
  for (const id of ids) {
    if (!isTicked) after.delete(id);
    else if (after.size < MOST_TICKED) after.add(id);
  }
  return after;
}

/** Which of the listed runs are ticked; none once other filters list others. */
export function useTicks(filters: RunFilters, runs: readonly { id: string }[] | undefined) {
  const [{ ticked }, setTicks] = useState(NO_TICKS);
  const clear = useCallback(() => setTicks(NO_TICKS), []);
  // What was ticked may not be in the list that other filters give.
  useEffect(clear, [clear, filters]);
  const onTick = useCallback(
    (id: string, isStretch: boolean) =>
      setTicks((before) =>
        isStretch
          ? tickStretch(
              before,
              id,
              (runs ?? []).map((run) => run.id),
            )
          : tickOne(before, id),
      ),
    [runs],
  );
  return { ticked, onTick, clear };
}
