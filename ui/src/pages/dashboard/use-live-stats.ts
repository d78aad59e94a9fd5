import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { type LiveEvent, listen } from "@/lib/live";
import { type Stats, patchRunning, statsKey } from "./api";
import type { StatsWindow } from "./window";

/** Longer than the API keeps the figures of runs: what is read after it knows of what happened before it. */
const REST_MS = 6_000;

/** Let the figures follow what happens: statuses at once, the rest after a rest, however much happens. */
export function useLiveStats(window: StatsWindow): void {
  const queryClient = useQueryClient();
  useEffect(() => {
    const queryKey = statsKey(window);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refresh = () => void queryClient.invalidateQueries({ queryKey });
    const refreshSoon = () => {
      if (timer !== undefined) return;
      refresh();
      timer = setTimeout(() => {
        timer = undefined;
        refresh();
      }, REST_MS);
    };
    const take = (events: readonly LiveEvent[]) => {
      queryClient.setQueryData<Stats>(queryKey, (stats) => (stats === undefined ? stats : patchRunning(stats, events)));
      // Nobody looks: it is read anew when somebody does.
      if (!document.hidden) refreshSoon();
    };
    const stop = listen(take, refreshSoon);
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [queryClient, window]);
}
