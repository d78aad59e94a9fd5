import { useNavigate, useSearch } from "@tanstack/react-router";
import { Suspense, lazy, useEffect, useMemo, useRef, useState } from "react";
import { IconButton } from "@/components/ui/button";
import { EmptyState, LoadingRows } from "@/components/ui/states";
import type { CanvasStep } from "@/features/graph/graph-canvas";
import { createMarks } from "@/features/graph/marks";
import { ValueView } from "@/features/values/value-view";
import { leadBack, passFocus } from "@/lib/lost-focus";
import { useShortcuts } from "@/lib/shortcuts";
import { useShown } from "@/lib/use-shown";
import type { Draft } from "./api";

/** React Flow is as large as half of the rest: the page does not wait for it. */
const GraphCanvas = lazy(() => import("@/features/graph/graph-canvas"));

/** The id of the heading above what is told of the chosen step. */
const CHOSEN = "chosen-step";

/** The steps of the draft as a graph; one that is chosen shows how it is set up. */
export function GraphTab({ draft: { detail } }: { draft: Draft }) {
  const steps = useMemo(() => readSteps(detail.definition), [detail.definition]);
  const { step: selected } = useSearch({ from: "/signed-in/workflows/$workflowId" });
  const navigate = useNavigate({ from: "/workflows/$workflowId" });
  const [marks] = useState(createMarks);
  useEffect(() => marks.setState({ selected }), [marks, selected]);
  const select = (step: string | undefined) =>
    void navigate({ search: step === undefined ? {} : { step }, replace: true, resetScroll: false });
  const step = steps.find((one) => one.id === selected);
  const { press } = useShown(CHOSEN, step?.id, select);
  const chosen = useRef<HTMLElement>(null);
  const close = () => {
    passFocus(chosen.current, "[data-graph] [tabindex='0']");
    select(undefined);
  };
  const leave = () => leadBack(chosen.current) || (selected !== undefined && close());
  useShortcuts([{ key: "Escape", label: "Back from the step, then close it", run: leave }]);
  if (steps.length === 0) {
    return (
      <EmptyState icon="workflows" title="No steps yet">
        The definition has none that can be drawn.
      </EmptyState>
    );
  }
  return (
    <div className="flex flex-col gap-4">
      <section aria-label="Graph" data-graph className="h-96 overflow-hidden rounded-control border border-line bg-canvas">
        <Suspense fallback={<LoadingRows />}>
          <GraphCanvas steps={steps} marks={marks} onSelect={select} onPress={press} detail={CHOSEN} />
        </Suspense>
      </section>
      {step === undefined ? (
        <p className="text-ink-2">Choose a step to see how it is set up.</p>
      ) : (
        <section ref={chosen} aria-labelledby={CHOSEN} className="rounded-control border border-line bg-surface p-4">
          <div className="flex items-start gap-2">
            <h2 id={CHOSEN} tabIndex={-1} className="grow text-lg font-semibold wrap-anywhere">
              {step.name ?? step.id}
            </h2>
            <IconButton label="Close the step" icon="close" onClick={close} />
          </div>
          <p className="font-mono text-xs text-ink-2 wrap-anywhere">
            {step.type} · {step.id}
          </p>
          <ValueView title="Set-up" value={step} />
        </section>
      )}
    </div>
  );
}

/** The steps of a draft that can be drawn: it may be of any shape. */
function readSteps(definition: unknown): CanvasStep[] {
  const { steps } = (definition ?? {}) as { steps?: unknown };
  if (!Array.isArray(steps)) return [];
  const known = new Set<string>();
  return steps.filter((step: unknown): step is CanvasStep => {
    const { id, type, after } = (step ?? {}) as Partial<CanvasStep>;
    const isStep = typeof id === "string" && typeof type === "string" && !known.has(id);
    const isPlaced = after === undefined || (Array.isArray(after) && after.every((entry) => typeof entry === "string"));
    if (isStep && isPlaced) known.add(id);
    return isStep && isPlaced;
  });
}
