import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { buttonClass } from "@/components/ui/button";
import { StatusBadge } from "@/components/ui/lamp";
import { Duration, Moment } from "@/components/ui/moment";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
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
      <div className="w-full rounded-control border border-line bg-surface">
        <table className="w-full text-left">
          <thead className="text-xs text-ink-3">
            <tr>
              <th className="px-3 py-2 font-normal">Run</th>
              <th className="hidden px-3 py-2 font-normal sm:table-cell">Started by</th>
              <th className="px-3 py-2 font-normal">Created</th>
              <th className="hidden px-3 py-2 font-normal sm:table-cell">Duration</th>
            </tr>
          </thead>
          <tbody>
            {query.data.items.map((run) => (
              <tr key={run.id} className="border-t border-line hover:bg-canvas">
                <td className="px-3 py-1.5">
                  <Link to="/runs/$runId" params={{ runId: run.id }} className="inline-flex flex-wrap items-center gap-2 hover:underline">
                    <StatusBadge status={run.status} />
                    <span className="font-mono text-xs text-ink-2">v{run.version}</span>
                  </Link>
                  {run.error !== null && <p className="line-clamp-1 text-xs text-ink-2 wrap-anywhere">{run.error.message}</p>}
                </td>
                <td className="hidden px-3 py-1.5 text-ink-2 sm:table-cell">{run.trigger_type}</td>
                <td className="px-3 py-1.5 text-ink-2">
                  <Moment at={run.created_at} />
                </td>
                <td className="hidden px-3 py-1.5 sm:table-cell">
                  <Duration from={run.started_at} to={run.finished_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
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
