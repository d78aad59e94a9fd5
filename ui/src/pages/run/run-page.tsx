import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useState } from "react";
import { Button, buttonClass } from "@/components/ui/button";
import { StatusBadge } from "@/components/ui/lamp";
import { Stale } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { Allowed } from "@/features/permissions/allowed";
import { neighbourOf } from "@/features/runs/neighbours";
import { ValueView } from "@/features/values/value-view";
import { useNow } from "@/lib/clock";
import { leadBack, passFocus } from "@/lib/lost-focus";
import { useShortcuts } from "@/lib/shortcuts";
import { STATUS_LOOKS, isLive } from "@/lib/status";
import { useShown } from "@/lib/use-shown";
import { type Run, runQuery } from "./api";
import { CopyAsCurl } from "./copy-as-curl";
import { EventsList } from "./events-list";
import { RunActions } from "./run-actions";
import { RunFacts } from "./run-facts";
import { RunGraph } from "./run-graph";
import { INSPECTED } from "./search";
import { Failure, StepInspector } from "./step-inspector";
import { timeOfRun } from "./time";
import { TimeBar } from "./time-bar";
import { useLiveRun } from "./use-live-run";
import { Waterfall } from "./waterfall-view";

const GRAPH = "[data-graph] [tabindex='0']";

/** One run: how it stands, what each step did and why, and where the time went. */
export function RunPage() {
  const { runId } = useParams({ from: "/signed-in/runs/$runId" });
  const [isOpen, setIsOpen] = useState(false);
  const isPolled = useLiveRun(runId, isOpen);
  const query = useQuery(runQuery(runId, isPolled));
  const goesOn = query.data !== undefined && isLive(query.data.status);
  if (goesOn !== isOpen) setIsOpen(goesOn);
  if (query.isPending) {
    return (
      <>
        <h1 className="sr-only">Run</h1>
        <LoadingRows />
      </>
    );
  }
  // What was there stays, and is asked for again.
  if (query.data === undefined) return <ErrorState isPage error={query.error} way={<ToRuns />} onRetry={() => void query.refetch()} />;
  return (
    <>
      {!isPolled && (
        <div className="px-4 pt-3 empty:hidden md:px-6">
          <Stale query={query} />
        </div>
      )}
      <RunView key={runId} run={query.data} />
    </>
  );
}

function ToRuns() {
  return (
    <Link to="/runs" className={buttonClass()}>
      To the runs
    </Link>
  );
}

function RunView({ run }: { run: Run }) {
  const [selected, select] = useChosenStep();
  const step = run.steps.find((one) => one.path === selected);
  const { show, press } = useShown(INSPECTED, step?.path, select);
  const lead = useNeighbours(run.id);
  const close = () => {
    if (selected === undefined) return;
    passFocus(placeOfStep(), `[data-path="${CSS.escape(selected)}"]`, GRAPH);
    select(undefined);
  };
  useShortcuts([
    { key: "Escape", label: "Back from the step, then close it", run: () => leadBack(placeOfStep()) || close() },
    { key: "g", label: "To the graph, and back to the steps", run: changeView },
    { key: "j", label: "Next run of the list", run: () => lead(1) },
    { key: "k", label: "Run before in the list", run: () => lead(-1) },
  ]);
  return (
    <>
      <PageHeader title={run.workflow_name} tab={`${STATUS_LOOKS[run.status].label}: ${run.workflow_name}`}>
        <StatusBadge status={run.status} />
        {/* A button that is switched off tells why to a pointer alone. */}
        <Allowed to="runs:control" why="It takes an operator to cancel, retry or rerun." />
        <CopyAsCurl run={run} />
        <RunActions run={run} fromStep={step?.id} />
      </PageHeader>
      <div className="flex flex-col gap-4 px-4 pb-8 md:px-6">
        <RunFacts run={run} />
        {run.error !== null && <RunFailure run={run} onShow={show} />}
        <RunTime run={run} />
        <RunGraph run={run} selected={selected} onSelect={select} onPress={press} />
        <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
          {run.steps.length > 0 ? (
            <Waterfall run={run} selected={selected} onSelect={select} onPress={press} />
          ) : (
            <EmptyState icon="runs" title="No steps yet">
              The run has not begun.
            </EmptyState>
          )}
          {step === undefined ? <WholeRun run={run} /> : <StepInspector run={run} step={step} onClose={close} />}
        </div>
        <Journal runId={run.id} />
      </div>
    </>
  );
}

/** Where the chosen step is told of. */
function placeOfStep(): Element | null {
  return document.getElementById(INSPECTED)?.closest("section") ?? null;
}

/** Lead to the run beside this one in the list that one came from. */
function useNeighbours(id: string): (by: 1 | -1) => void {
  const navigate = useNavigate();
  const queryClient = useQueryClient();
  return (by) => {
    const next = neighbourOf(queryClient, id, by);
    if (next !== undefined) void navigate({ to: "/runs/$runId", params: { runId: next }, replace: true });
  };
}

/** The focus goes to the graph; from there, to the chosen step among the others, or to the first one. */
function changeView(): void {
  const graph = document.querySelector<HTMLElement>(GRAPH);
  const row = document.querySelector<HTMLElement>("[data-path][aria-pressed=true]") ?? document.querySelector<HTMLElement>("[data-path]");
  (graph !== null && document.activeElement !== graph ? graph : row)?.focus();
}

function RunTime({ run }: { run: Run }) {
  return <TimeBar time={timeOfRun(run, useNow())} />;
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

function RunFailure({ run, onShow }: { run: Run; onShow: (path: string) => void }) {
  const step = run.steps.find((one) => one.path === run.error?.step);
  return (
    <div className="-mt-3 flex flex-wrap items-end gap-2">
      <Failure code={run.error?.code ?? ""} message={run.error?.message ?? ""} />
      {step !== undefined && (
        <Button className="max-w-full" onClick={() => onShow(step.path)}>
          <span className="truncate">Show {step.name ?? step.id}</span>
        </Button>
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
