import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { listen } from "@/lib/live";
import { readAnew } from "@/lib/read-anew";
import { createRefresher } from "@/lib/refresher";
import { APPROVALS, concerns } from "./api";

/** They are read anew at most so often, however much happens. */
const PAUSE_MS = 500;

/** Let the approvals follow what happens to runs; `runs` are those of the open ones. */
export function useLiveApprovals(runs: ReadonlySet<string>): void {
  const queryClient = useQueryClient();
  const latest = useRef(runs);
  useEffect(() => {
    latest.current = runs;
  });
  useEffect(() => {
    const refresher = createRefresher(() => readAnew(queryClient, APPROVALS), PAUSE_MS);
    const stop = listen((events) => concerns(events, latest.current) && refresher.ask(), refresher.ask);
    return () => {
      stop();
      refresher.stop();
    };
  }, [queryClient]);
}
