import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { WORKFLOWS } from "@/features/workflows/api";
import { listen } from "@/lib/live";
import { readAnew } from "@/lib/read-anew";
import { createRefresher } from "@/lib/refresher";

/** The list is read anew at most so often, however much happens: nobody counts marks that fly by. */
const PAUSE_MS = 3_000;

/** Let the marks follow what happens. Rows stay in their places: they are in the order in which they were made. */
export function useLiveMarks(q: string | undefined): void {
  const queryClient = useQueryClient();
  useEffect(() => {
    const refresher = createRefresher(() => readAnew(queryClient, [...WORKFLOWS, { q }]), PAUSE_MS);
    const stop = listen(refresher.ask, refresher.ask);
    return () => {
      stop();
      refresher.stop();
    };
  }, [q, queryClient]);
}
