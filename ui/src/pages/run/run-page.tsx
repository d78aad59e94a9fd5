import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useState } from "react";
import { Button } from "@/components/ui/button";
import { StatusBadge } from "@/components/ui/lamp";
import { Duration, Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { ValueView } from "@/features/values/value-view";
import { useShortcuts } from "@/lib/shortcuts";
import { isLive } from "@/lib/status";
import { type Run, runQuery } from "./api";
import { CopyAsCurl } from "./copy-as-curl";
import { EventsList } from "./events-list";
import { RunActions } from "./run-actions";
import { RunGraph } from "./run-graph";
import { Failure, StepInspector } from "./step-inspector";
import { TimeBar } from "./time-bar";
import { useLiveRun } from "./use-live-run";
import { Waterfall } from "./waterfall-view";

/** One run: how it stands, what each step did and why, and where the time went. */
export function RunPage() {
  const { runId } = useParams({ from: "/signed-in/runs/$runId" });
  const [isOpen, setIsOpen] = useState(false);
  const isPolled = useLiveRun(runId, isOpen);
  const query = useQuery(runQuery(runId, isPolled));
  const goesOn = query.data !== undefined && isLive(query.data.status);
  if (goesOn !== isOpen) setIsOpen(goesOn);
  if (query.isPending) return <LoadingRows />;
  // What was there stays, and is asked for again.
  if (query.data === undefined) return <ErrorState isPage error={query.error} onRetry={() => void query.refetch()} />;
  return <RunView key={runId} run={query.data} />;
}

function RunView({ run }: { run: Run }) {
  const [selected, select] = useChosenStep();
  const step = run.steps.find((one) => one.path === selected);
  useShortcuts([{ key: "Escape", label: "Close the step", run: () => select(undefined) }]);
  return (
    <>
      <PageHeader title={run.workflow_name}>
        <StatusBadge status={run.status} />
        <CopyAsCurl run={run} />
        <RunActions run={run} fromStep={step?.id} />
      </PageHeader>
      <div className="flex flex-col gap-4 px-4 pb-8 md:px-6">
        <Facts run={run} />
        {run.error !== null && <RunFailure run={run} onSelect={select} />}
        <TimeBar time={run.time} />
        <RunGraph run={run} selected={selected} onSelect={select} />
        <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
          {run.steps.length > 0 ? (
            <Waterfall run={run} selected={selected} onSelect={select} />
          ) : (
            <EmptyState icon="runs" title="No steps yet">
              The run has not begun.
            </EmptyState>
          )}
          {step === undefined ? <WholeRun run={run} /> : <StepInspector run={run} step={step} onClose={() => select(undefined)} />}
        </div>
        <Journal runId={run.id} />
      </div>
    </>
  );
}

/** Which step is looked at: part of the address, so that it can be sent to others. */
function useChosenStep() {
  const { step: chosen } = useSearch({ from: "/signed-in/runs/$runId" });
  const navigate = useNavigate({ from: "/runs/$runId" });
  const select = useCallback(
    (step: string | undefined) => void navigate({ search: step === undefined ? {} : { step }, replace: true, resetScroll: false }),
    [navigate],
  );
  return [chosen, select] as const;
}

function Facts({ run }: { run: Run }) {
  const { type } = (run.trigger ?? {}) as { type?: string };
  return (
    <p className="flex flex-wrap items-center gap-x-4 gap-y-1 text-ink-2 md:-mt-3">
      <Link to="/workflows/$workflowId" params={{ workflowId: run.workflow_id }} className="text-ink underline">
        The workflow
      </Link>
      <span className="font-mono">v{run.version}</span>
      {type !== undefined && <span>{type}</span>}
      <Moment at={run.created_at} />
      <Duration from={run.started_at} to={run.finished_at} />
      {run.attempt > 1 && <span>attempt {run.attempt}</span>}
      {run.is_test && <span>test of a draft</span>}
      <span className="font-mono text-xs wrap-anywhere">{run.id}</span>
      {run.parent !== null && <RunLink id={run.parent.run_id}>Started by {run.parent.step} of another run</RunLink>}
      {run.origin_run_id !== null && (
        <>
          <RunLink id={run.origin_run_id}>The run that this repeats</RunLink>
          <Link to="/runs/compare" search={{ a: run.origin_run_id, b: run.id }} className="text-ink underline">
            Compare with it
          </Link>
        </>
      )}
      {run.children.slice(0, 5).map((child) => (
        <RunLink key={child.run_id} id={child.run_id}>
          Run of {child.step}
        </RunLink>
      ))}
      {run.concurrency?.slot_at === null && <span>held for a slot of {run.concurrency.key}</span>}
    </p>
  );
}

function RunLink({ id, children }: { id: string; children: React.ReactNode }) {
  return (
    <Link to="/runs/$runId" params={{ runId: id }} className="text-ink underline">
      {children}
    </Link>
  );
}

function RunFailure({ run, onSelect }: { run: Run; onSelect: (path: string) => void }) {
  const step = run.error?.step;
  return (
    <div className="-mt-3 flex flex-wrap items-end gap-2">
      <Failure code={run.error?.code ?? ""} message={run.error?.message ?? ""} />
      {step != null && run.steps.some((one) => one.path === step) && (
        <Button onClick={() => onSelect(step)}>Show {step}</Button>
      )}
    </div>
  );
}

function WholeRun({ run }: { run: Run }) {
  return (
    <section aria-labelledby="whole-run" className="min-w-0 rounded-control border border-line bg-surface p-4">
      <h2 id="whole-run" className="text-lg font-semibold">
        The whole run
      </h2>
      <p className="text-ink-2">Choose a step to see what went in and what came out.</p>
      <ValueView title="Trigger" value={run.trigger} runId={run.id} />
      <ValueView title="Input" value={run.input} runId={run.id} />
      {run.output !== null && <ValueView title="Output" value={run.output} runId={run.id} />}
    </section>
  );
}

/** The journal is read once somebody opens it. */
function Journal({ runId }: { runId: string }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details onToggle={(event) => setIsOpen(event.currentTarget.open)} className="rounded-control border border-line bg-surface px-3">
      <summary className="py-2 text-lg font-semibold">Events</summary>
      {isOpen && <EventsList runId={runId} />}
    </details>
  );
}
