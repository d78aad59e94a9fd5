import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { Icon } from "@/components/ui/icon";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import type { Run } from "@/features/runs/run";
import { formatCount } from "@/lib/format";
import { loopQuery } from "./api";
import { type ComparedStep, firstDifference } from "./compare";
import { DataPair } from "./data-pair";
import type { ComparedItem, LoopDifference } from "./items";
import { type Loops, isLoopOfBoth } from "./use-loops";
import { tellDifference } from "./words";

interface StepPairProps {
  a: Run;
  b: Run;
  step: ComparedStep;
  /** Left out: it is a step of an item. */
  loops?: Loops;
}

/** What went into a step and came out of it in both runs; of a loop, also where its items part. */
export function StepPair({ a, b, step, loops }: StepPairProps) {
  const id = useId();
  const Title = loops === undefined ? "h4" : "h2";
  return (
    <section aria-labelledby={id} className="flex flex-col gap-4">
      <Title id={id} className="text-lg font-semibold wrap-anywhere">
        {step.title} <span className="font-mono text-xs font-normal text-ink-3">{step.path}</span>
      </Title>
      {loops !== undefined && isLoopOfBoth(step) && <LoopPair a={a} b={b} step={step} loops={loops} />}
      <DataPair title="Input" a={step.a?.input ?? null} b={step.b?.input ?? null} />
      <DataPair title="Output" a={step.a?.output ?? null} b={step.b?.output ?? null} />
      {(step.a?.error != null || step.b?.error != null) && <DataPair title="Error" a={step.a?.error ?? null} b={step.b?.error ?? null} />}
    </section>
  );
}

interface LoopPairProps {
  a: Run;
  b: Run;
  step: ComparedStep;
  loops: Loops;
}

/** Where the items of a loop part. It is folded, and nothing is read for it, until somebody asks. */
function LoopPair({ a, b, step, loops: { asked, ask } }: LoopPairProps) {
  const isAsked = asked.has(step.path);
  const counts = [step.a, step.b].map((side) => formatCount(side?.items?.total ?? 0));
  return (
    <details
      aria-label="Items"
      open={isAsked}
      onToggle={(event) => event.currentTarget.open && ask(step.path)}
      className="min-w-0 rounded-control border border-line bg-surface p-3"
    >
      <summary className="flex min-h-6 items-center gap-2">
        <Icon name="down" />
        <h3 className="font-semibold">Items</h3>
        <span className="text-ink-2">
          {counts[0]} in A, {counts[1]} in B
        </span>
      </summary>
      {isAsked && <FoundItems a={a} b={b} path={step.path} />}
    </details>
  );
}

function FoundItems({ a, b, path }: { a: Run; b: Run; path: string }) {
  const query = useQuery(loopQuery(a, b, path));
  const { data } = query;
  return (
    <>
      {query.isPending && <LoadingRows rows={2} />}
      {data === undefined && query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      {data !== undefined && <p role="status">{tellItems(data)}</p>}
      {data?.first !== undefined && <ItemPair key={data.first.path} a={a} b={b} item={data.first} />}
    </>
  );
}

function tellItems({ first, same, isWhole }: LoopDifference): string {
  const before = same === 0 ? "" : ` The ${same === 1 ? "one" : formatCount(same)} before it went the same way.`;
  if (first !== undefined) return `The first item that differs is ${first.path}${tellWhere(first)}.${before}`;
  if (!isWhole) return `The first ${formatCount(same)} items went the same way, with the same data. Those after them were not compared.`;
  return same === 0 ? "There are none." : `All ${formatCount(same)} went the same way, with the same data.`;
}

function tellWhere({ a, b, steps }: ComparedItem): string {
  if (a === undefined || b === undefined) return `: only ${a === undefined ? "B" : "A"} has it`;
  const step = firstDifference(steps);
  return step === undefined ? ": its status" : `, first at ${step.title}: ${tellDifference(step)}`;
}

/** The steps of an item that differ, one of them beside itself. */
function ItemPair({ a, b, item }: { a: Run; b: Run; item: ComparedItem }) {
  const differing = item.steps.filter((step) => step.differences.length > 0);
  const [chosen, setChosen] = useState(differing[0]?.path);
  const step = differing.find(({ path }) => path === chosen);
  if (step === undefined) return null;
  return (
    <div className="mt-3 flex flex-col gap-3">
      {differing.length > 1 && (
        <ul aria-label="Steps of the item that differ" className="flex flex-wrap gap-x-4">
          {differing.map(({ path, title }) => (
            <li key={path}>
              <button type="button" aria-pressed={path === chosen} onClick={() => setChosen(path)} className="min-h-6 underline wrap-anywhere aria-pressed:font-semibold">
                {title}
              </button>
            </li>
          ))}
        </ul>
      )}
      <StepPair key={step.path} a={a} b={b} step={step} />
    </div>
  );
}
