import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { buttonClass } from "@/components/ui/button";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { RunList } from "@/features/runs/run-list";
import { listen } from "@/lib/live";
import { createRefresher } from "@/lib/refresher";
import { lastRunsQuery } from "./api";

const PAUSE_MS = 1_000;

/** The last runs of the workflow, as they happen; all of them stand in the list of runs. */
export function RunsTab({ workflowId }: { workflowId: string }) {
  const query = useQuery(lastRunsQuery(workflowId));
  useLiveRuns(workflowId);
  if (query.isPending) return <LoadingRows />;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  if (query.data.items.length === 0) {
    return (
      <EmptyState icon="runs" title="No runs yet">
        A run appears here as soon as the workflow starts.
      </EmptyState>
    );
  }
  return (
    <div className="flex flex-col items-start gap-3">
      <div className="w-full">
        <RunList runs={query.data.items} />
      </div>
      <Link to="/runs" search={{ workflow: workflowId }} className={buttonClass("secondary")}>
        All runs of this workflow
      </Link>
    </div>
  );
}

function useLiveRuns(workflowId: string): void {
  const queryClient = useQueryClient();
  useEffect(() => {
    const refresher = createRefresher(() => queryClient.invalidateQueries({ queryKey: ["workflow", workflowId, "runs"] }), PAUSE_MS);
    const stop = listen((events) => events.some((event) => event.workflow_id === workflowId) && refresher.ask(), refresher.ask);
    return () => {
      stop();
      refresher.stop();
    };
  }, [queryClient, workflowId]);
}
