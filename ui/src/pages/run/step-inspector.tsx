import { Link } from "@tanstack/react-router";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Button, IconButton } from "@/components/ui/button";
import { Icon } from "@/components/ui/icon";
import { StatusBadge } from "@/components/ui/lamp";
import { Duration, Moment } from "@/components/ui/moment";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { ValueView } from "@/features/values/value-view";
import { type Run, type Step, itemsQuery } from "./api";
import { TimeBar } from "./time-bar";

interface InspectorProps {
  run: Run;
  step: Step;
  onClose: () => void;
}

/** One step: why it stands as it does, what went in, what came out, and every attempt. */
export function StepInspector({ run, step, onClose }: InspectorProps) {
  const child = run.children.find((one) => one.step === step.path);
  return (
    <section aria-labelledby="inspected" className="min-w-0 rounded-control border border-line bg-surface p-4">
      <div className="flex items-start gap-2">
        <h2 id="inspected" className="grow text-lg font-semibold wrap-anywhere">
          {step.name ?? step.id}
        </h2>
        <IconButton label="Close the step" icon="close" onClick={onClose} />
      </div>
      <p className="flex flex-wrap items-center gap-2">
        <StatusBadge status={step.status} />
        <span className="font-mono text-xs text-ink-2 wrap-anywhere">
          {step.type} · {step.path}
        </span>
      </p>
      <StepDetail runId={run.id} step={step} />
      {child !== undefined && (
        <p className="mt-3">
          <Link to="/runs/$runId" params={{ runId: child.run_id }} className="underline">
            The run that this step started
          </Link>
        </p>
      )}
      {step.type === "foreach" && <Items runId={run.id} parent={step.path} />}
    </section>
  );
}

function StepDetail({ runId, step }: { runId: string; step: Step }) {
  return (
    <>
      <p className="mt-3 wrap-anywhere">{step.explanation}</p>
      {step.waiting?.due_at != null && (
        <p className="mt-1 text-ink-2">
          Until <Moment at={step.waiting.due_at} />, <Moment at={step.waiting.due_at} isRelative />
        </p>
      )}
      {step.error !== null && <Failure code={step.error.code} message={step.error.message} />}
      {step.time !== null && step.time.total_ms > 0 && (
        <div className="mt-3">
          <TimeBar time={step.time} />
        </div>
      )}
      {step.attempts.length > 0 && <Attempts step={step} />}
      {step.input !== null && <ValueView title="Input" value={step.input} runId={runId} />}
      {step.output !== null && <ValueView title="Output" value={step.output} runId={runId} />}
      {step.error?.details != null && (
        <ValueView title="Details of the error" value={step.error.details} runId={runId} />
      )}
    </>
  );
}

/** What went wrong, in words and by its code. */
export function Failure({ code, message }: { code: string; message: string }) {
  return (
    <p className="mt-3 rounded-control bg-failed-soft px-3 py-2 text-failed wrap-anywhere">
      {message} <span className="font-mono text-xs">{code}</span>
    </p>
  );
}

function Attempts({ step }: { step: Step }) {
  return (
    <div role="group" aria-label="Attempts" className="mt-4">
      <h3 className="font-semibold">{step.attempts.length === 1 ? "1 attempt" : `${step.attempts.length} attempts`}</h3>
      <ol className="divide-y divide-line">
        {step.attempts.map((attempt) => (
          <li key={attempt.number} className="py-1.5">
            <div className="flex flex-wrap items-center gap-x-3">
              <span className="font-mono">{attempt.number}</span>
              <span className="font-semibold">{attempt.status}</span>
              {attempt.started_at !== null && (
                <span className="text-ink-2">
                  <Moment at={attempt.started_at} />
                </span>
              )}
              <Duration from={attempt.started_at} to={attempt.finished_at} />
              <span className="font-mono text-xs text-ink-3">queued {attempt.queued_ms} ms</span>
            </div>
            {attempt.error !== null && <p className="text-failed wrap-anywhere">{attempt.error.message}</p>}
          </li>
        ))}
      </ol>
    </div>
  );
}

/** The items of a loop, each with its steps. */
function Items({ runId, parent }: { runId: string; parent: string }) {
  const query = useInfiniteQuery(itemsQuery(runId, parent));
  const items = query.data?.pages.flatMap((page) => page.items);
  return (
    <div role="group" aria-label="Items" className="mt-4">
      <h3 className="mb-1 font-semibold">Items</h3>
      {query.isPending && <LoadingRows />}
      {items === undefined && query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      <ol className="divide-y divide-line">
        {items?.map((item) => (
          <li key={item.path}>
            <details>
              <summary className="flex min-h-8 flex-wrap items-center gap-2 py-1">
                <Icon name="down" />
                <StatusBadge status={item.status} />
                <span className="font-mono">{item.path}</span>
                <Duration from={item.started_at} to={item.finished_at} />
                {item.error !== null && <span className="text-failed wrap-anywhere">{item.error.message}</span>}
              </summary>
              <div className="border-l border-line pb-3 pl-3">
                {item.steps.map((step) => (
                  <details key={step.path}>
                    <summary className="flex min-h-8 flex-wrap items-center gap-2 py-1">
                      <Icon name="down" />
                      <StatusBadge status={step.status} />
                      <span className="wrap-anywhere">{step.name ?? step.id}</span>
                      <span className="font-mono text-xs text-ink-3">{step.type}</span>
                    </summary>
                    <StepDetail runId={runId} step={step} />
                    {step.type === "foreach" && <Items runId={runId} parent={step.path} />}
                  </details>
                ))}
              </div>
            </details>
          </li>
        ))}
      </ol>
      {query.hasNextPage && (
        <Button isBusy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show more items
        </Button>
      )}
    </div>
  );
}
