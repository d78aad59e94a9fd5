import { queryOptions } from "@tanstack/react-query";
import { type Run, runQuery } from "@/features/runs/run";
import { isLive } from "@/lib/status";

/** A run that goes on is asked for so often. */
const POLL_MS = 5_000;

/** One of the two runs that are compared; while it goes on, it is asked for again and again. */
export function comparedQuery(id: string) {
  return queryOptions({ ...runQuery(id), refetchInterval: ({ state }) => pauseOf(state.data) });
}

/** How many milliseconds until a run is asked for again; never once it has ended. */
export function pauseOf(run: Pick<Run, "status"> | undefined): number | false {
  return run !== undefined && isLive(run.status) ? POLL_MS : false;
}
