import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ComponentProps, useEffect } from "react";
import { buttonClass } from "@/components/ui/button";
import { Loaded } from "@/components/ui/loaded";
import { EmptyState } from "@/components/ui/states";
import { RunList } from "@/features/runs/run-list";
import { listen, useLive } from "@/lib/live";
import { createRefresher } from "@/lib/refresher";
import { lastRunsQuery } from "./api";

const PAUSE_MS = 1_000;

/** The last runs of the workflow, as they happen; all of them stand in the list of runs. */
export function RunsTab({ workflowId }: { workflowId: string }) {
  const isPolled = useLive((state) => state.status === "paused");
  const query = useQuery(lastRunsQuery(workflowId, isPolled));
  useLiveRuns(workflowId);
  return <Loaded query={query}>{({ items }) => (items.length > 0 ? <LastRuns runs={items} workflowId={workflowId} /> : <NoRuns />)}</Loaded>;
}

function LastRuns({ runs, workflowId }: { runs: ComponentProps<typeof RunList>["runs"]; workflowId: string }) {
  return (
    <div className="flex flex-col items-start gap-3">
      <div className="w-full">
        <RunList runs={runs} />
      </div>
      <Link to="/runs" search={{ workflow: workflowId }} className={buttonClass("secondary")}>
        All runs of this workflow
      </Link>
    </div>
  );
}

function NoRuns() {
  return (
    <EmptyState icon="runs" title="No runs yet">
      A run appears here as soon as the workflow starts.
    </EmptyState>
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
