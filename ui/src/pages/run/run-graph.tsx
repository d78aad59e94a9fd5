import { useQuery } from "@tanstack/react-query";
import { Suspense, lazy, useEffect, useState } from "react";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { createMarks, putMarks } from "@/features/graph/marks";
import { formatDuration } from "@/lib/format";
import { type Run, type Step, stepsQuery } from "./api";
import { INSPECTED } from "./search";

/** React Flow is as large as half of the rest: it comes when a run is looked at, and the page does not wait for it. */
const GraphCanvas = lazy(() => import("@/features/graph/graph-canvas"));

interface RunGraphProps {
  run: Run;
  selected: string | undefined;
  onSelect: (path: string) => void;
  onPress: (path: string) => void;
}

/** The graph of what the run is of, with how each step stands. */
export function RunGraph({ run, selected, onSelect, onPress }: RunGraphProps) {
  const query = useQuery(stepsQuery(run));
  const [marks] = useState(createMarks);
  useEffect(() => {
    putMarks(
      marks,
      Object.fromEntries(run.steps.map((step) => [step.path, { status: step.status, port: step.port, right: rightOf(step) }])),
    );
  }, [marks, run.steps]);
  useEffect(() => marks.setState({ selected }), [marks, selected]);
  if (query.isError) {
    return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  }
  return (
    <section aria-label="Graph" data-graph className="h-72 overflow-hidden rounded-control border border-line bg-canvas">
      <Suspense fallback={<LoadingRows />}>
        {query.data !== undefined && <GraphCanvas steps={query.data} marks={marks} onSelect={onSelect} onPress={onPress} detail={INSPECTED} />}
      </Suspense>
    </section>
  );
}

function rightOf(step: Step): string | undefined {
  if (step.items !== null && step.items.failed > 0) return `${step.items.failed} failed`;
  if (step.items !== null) return `${step.items.done}/${step.items.total}`;
  if (step.status === "retrying" || step.attempts.length > 1) return `×${step.attempts.length}`;
  const isOver = step.started_at !== null && step.finished_at !== null;
  return isOver && step.status !== "skipped" && step.time !== null ? formatDuration(step.time.total_ms) : undefined;
}
