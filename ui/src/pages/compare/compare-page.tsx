import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { StatusBadge } from "@/components/ui/lamp";
import { Stale } from "@/components/ui/loaded";
import { Duration, Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { type Run, nameVersion } from "@/features/runs/run";
import { compareSteps, firstDifference } from "./compare";
import { comparedQuery } from "./compared-run";
import { DataPair } from "./data-pair";
import { type CompareSearch, readCompareSearch } from "./search";
import { StepPair } from "./step-pair";
import { StepTable } from "./step-table";
import { useLoops } from "./use-loops";
import { Verdict } from "./verdict";

/** Two runs beside each other: where they part first, what went in and came out, and how long it took. */
export function ComparePage() {
  const search = readCompareSearch(useSearch({ from: "/signed-in/runs/compare" }));
  const { a, b } = search;
  return (
    <>
      <PageHeader title="Compare two runs" />
      {a === undefined || b === undefined ? <Choice search={search} /> : <Loaded key={`${a}${b}`} a={a} b={b} step={search.step} />}
    </>
  );
}

/** Where the address does not name both. */
function Choice({ search }: { search: CompareSearch }) {
  const navigate = useNavigate();
  const [ids, setIds] = useState({ a: search.a ?? "", b: search.b ?? "" });
  const chosen = readCompareSearch({ a: ids.a.trim(), b: ids.b.trim() });
  const isWhole = chosen.a !== undefined && chosen.b !== undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (isWhole) void navigate({ to: "/runs/compare", search: chosen });
  };
  return (
    <form onSubmit={submit} className="mx-4 flex max-w-lg flex-col gap-4 rounded-dialog border border-line bg-surface p-4 md:mx-6">
      <p className="text-ink-2">Name two runs by their ids, or select two in the list of runs.</p>
      <Field label="Run A" value={ids.a} onChange={(event) => setIds({ ...ids, a: event.target.value })} />
      <Field label="Run B" value={ids.b} onChange={(event) => setIds({ ...ids, b: event.target.value })} />
      <div className="flex gap-2">
        <Button type="submit" kind="primary" disabled={!isWhole}>
          Compare
        </Button>
        <Button onClick={() => void navigate({ to: "/runs" })}>To the runs</Button>
      </div>
    </form>
  );
}

function Loaded({ a, b, step }: { a: string; b: string; step: string | undefined }) {
  const queries = [useQuery(comparedQuery(a)), useQuery(comparedQuery(b))] as const;
  const failed = queries.find((query) => query.isError && query.data === undefined);
  const [left, right] = [queries[0].data, queries[1].data];
  if (failed !== undefined) return <ErrorState error={failed.error} onRetry={() => queries.forEach((query) => void query.refetch())} />;
  if (left === undefined || right === undefined) return <LoadingRows />;
  return (
    <>
      <div className="px-4 md:px-6">
        <Stale query={queries.find((query) => query.isError) ?? queries[0]} />
      </div>
      <Comparison a={left} b={right} chosen={step} />
    </>
  );
}

function Comparison({ a, b, chosen }: { a: Run; b: Run; chosen: string | undefined }) {
  const loops = useLoops(a, b, useMemo(() => compareSteps(a, b), [a, b]));
  const { steps } = loops;
  const first = firstDifference(steps);
  const navigate = useNavigate({ from: "/runs/compare" });
  const select = (path: string) => void navigate({ search: (now) => ({ ...now, step: path }), replace: true, resetScroll: false });
  const shown = steps.find((step) => step.path === chosen) ?? first;
  return (
    <div className="flex flex-col gap-4 px-4 pb-8 md:px-6">
      <div className="grid gap-3 md:grid-cols-2">
        <RunFacts name="A" run={a} />
        <RunFacts name="B" run={b} />
      </div>
      <div>
        <Button onClick={() => void navigate({ search: (now) => ({ ...now, a: b.id, b: a.id }), replace: true })}>Exchange A and B</Button>
      </div>
      <Verdict a={a} b={b} first={first} loops={loops} onSelect={select} />
      <StepTable steps={steps} selected={shown?.path} onSelect={select} />
      {shown !== undefined && <StepPair key={shown.path} a={a} b={b} step={shown} loops={loops} />}
      <section aria-labelledby="whole-runs" className="flex flex-col gap-4">
        <h2 id="whole-runs" className="text-lg font-semibold">
          The whole runs
        </h2>
        <DataPair title="Input" a={a.input} b={b.input} />
        <DataPair title="Output" a={a.output} b={b.output} />
      </section>
    </div>
  );
}

function RunFacts({ name, run }: { name: string; run: Run }) {
  return (
    <section aria-label={`Run ${name}`} className="min-w-0 rounded-control border border-line bg-surface p-3">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="text-lg font-semibold">{name}</h2>
        <StatusBadge status={run.status} />
        <Link to="/runs/$runId" params={{ runId: run.id }} className="font-semibold wrap-anywhere underline">
          {run.workflow_name}
        </Link>
        <span className="font-mono text-xs text-ink-3">{nameVersion(run.version)}</span>
      </div>
      <p className="mt-1 flex flex-wrap gap-x-4 text-ink-2">
        <Moment at={run.created_at} />
        <Duration from={run.started_at} to={run.finished_at} />
        <span className="font-mono text-xs wrap-anywhere">{run.id}</span>
      </p>
      {run.error !== null && <p className="mt-1 text-failed wrap-anywhere">{run.error.message}</p>}
    </section>
  );
}
