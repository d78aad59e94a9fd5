import { queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useEffect } from "react";
import { StatusBadge } from "@/components/ui/lamp";
import { Duration, Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { api, unwrap } from "@/lib/api";
import { listen } from "@/lib/live";

export function runQuery(id: string) {
  return queryOptions({
    queryKey: ["run", id],
    queryFn: ({ signal }) => unwrap(api.GET("/v1/runs/{run_id}", { params: { path: { run_id: id } }, signal })),
  });
}

/** One run: how it stands, and every step with why it stands so. */
export function RunPage() {
  const { runId } = useParams({ from: "/signed-in/runs/$runId" });
  const query = useQuery(runQuery(runId));
  const queryClient = useQueryClient();
  useEffect(() => {
    const refresh = () => void queryClient.invalidateQueries({ queryKey: ["run", runId] });
    return listen((events) => events.some((event) => event.run_id === runId) && refresh(), refresh);
  }, [queryClient, runId]);
  if (query.isPending) return <LoadingRows />;
  if (query.isError) return <ErrorState isPage error={query.error} onRetry={() => void query.refetch()} />;
  const run = query.data;
  return (
    <>
      <PageHeader title={run.workflow_name}>
        <StatusBadge status={run.status} />
        <span className="font-mono text-ink-2">v{run.version}</span>
        <span className="text-ink-2"><Moment at={run.created_at} /></span>
        <Duration from={run.started_at} to={run.finished_at} />
      </PageHeader>
      <div className="px-4 md:px-6">
        {run.error !== null && (
          <p className="mb-4 rounded-control bg-failed-soft px-3 py-2 text-failed wrap-anywhere">{run.error.message}</p>
        )}
        <ol className="rounded-control border border-line bg-surface">
          {run.steps.map((step) => (
            <li key={step.path} className="flex flex-wrap items-center gap-x-3 gap-y-1 border-t border-line px-3 py-2 first:border-t-0">
              <StatusBadge status={step.status} />
              <span className="font-semibold wrap-anywhere">{step.name ?? step.id}</span>
              <span className="font-mono text-xs text-ink-3">{step.type}</span>
              <span className="grow" />
              <Duration from={step.started_at ?? null} to={step.finished_at ?? null} />
              <p className="w-full text-ink-2 wrap-anywhere">{step.explanation}</p>
            </li>
          ))}
        </ol>
      </div>
    </>
  );
}
