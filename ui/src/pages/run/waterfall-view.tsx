import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, memo, useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Lamp } from "@/components/ui/lamp";
import { classNames } from "@/lib/class-names";
import { useNow } from "@/lib/clock";
import { formatDuration } from "@/lib/format";
import { STATUS_LOOKS, type Tone } from "@/lib/status";
import type { Run, Step } from "./api";
import { type Part, lengthOf, partsOf, ticksOf } from "./waterfall";

const ROW_PIXELS = 36;
const TICKS = 5;
const ZOOMS = [1, 2, 4, 8, 16, 32];

const SOLID = {
  succeeded: "bg-succeeded",
  running: "bg-running",
  failed: "bg-failed",
  retrying: "bg-retrying",
  waiting: "bg-waiting",
  queued: "bg-queued",
  cancelled: "bg-cancelled",
  skipped: "bg-skipped",
} satisfies Record<Tone, string>;

const OUTLINED = {
  queued: "h-1 bg-queued",
  limited: "h-2 border-2 border-queued bg-queued-soft",
  backing_off: "h-2 border-2 border-dashed border-retrying bg-retrying-soft",
  waiting: "h-3.5 border-2 border-dotted border-waiting bg-waiting-soft",
} as const;

interface WaterfallProps {
  run: Run;
  selected: string | undefined;
  onSelect: (path: string) => void;
}

/** Steps and their attempts over the time of the run; those rows are in the page that can be seen. */
export function Waterfall({ run, selected, onSelect }: WaterfallProps) {
  const now = useNow();
  const [zoom, setZoom] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  const length = lengthOf(run, now);
  const virtualizer = useVirtualizer({
    count: run.steps.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PIXELS,
    getItemKey: (index) => run.steps[index]?.path ?? index,
    overscan: 6,
  });
  const chosen = run.steps.findIndex((step) => step.path === selected);
  useEffect(() => {
    if (chosen >= 0) virtualizer.scrollToIndex(chosen);
  }, [chosen, virtualizer]);
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const next = run.steps[chosen + by];
    if (by === 0 || next === undefined) return;
    event.preventDefault();
    onSelect(next.path);
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-path="${next.path}"]`)?.focus());
  };
  const factor = ZOOMS[zoom] ?? 1;
  return (
    <section aria-label="Waterfall" className="min-w-0 lg:sticky lg:top-16">
      <div className="mb-1 flex items-center gap-2">
        <h2 className="grow text-lg font-semibold">Steps</h2>
        <Button aria-label="Shorter time" disabled={zoom === ZOOMS.length - 1} onClick={() => setZoom(zoom + 1)}>+</Button>
        <Button aria-label="Longer time" disabled={zoom === 0} onClick={() => setZoom(zoom - 1)}>−</Button>
      </div>
      <div
        ref={scroller}
        onKeyDown={move}
        className="max-h-[60vh] overflow-auto rounded-control border border-line bg-surface"
      >
        <div style={{ width: `${factor * 100}%` }}>
          <Scale length={length} factor={factor} />
          <ol aria-label="Steps" className="relative" style={{ height: virtualizer.getTotalSize() }}>
            {virtualizer.getVirtualItems().map(({ index, key, start }) => {
              const step = run.steps[index];
              return (
                step !== undefined && (
                  <li key={key} className="absolute inset-x-0 top-0" style={{ height: ROW_PIXELS, transform: `translateY(${start}px)` }}>
                    <Row
                      step={step}
                      createdAt={run.created_at}
                      length={length}
                      isSelected={index === chosen}
                      onSelect={onSelect}
                    />
                  </li>
                )
              );
            })}
          </ol>
        </div>
      </div>
    </section>
  );
}

const NAME = "sticky left-0 z-1 flex h-full w-36 shrink-0 items-center gap-2 border-r border-line bg-inherit px-2 md:w-56";

function Scale({ length, factor }: { length: number; factor: number }) {
  return (
    <div aria-hidden="true" className="sticky top-0 z-2 flex h-6 border-b border-line bg-surface font-mono text-xs text-ink-3">
      <span className={NAME} />
      <span className="relative mr-3 grow overflow-hidden">
        {ticksOf(length, TICKS * factor)
          .filter((at) => at < length * 0.92 || factor > 1)
          .map((at, index) => (
            <span
              key={at}
              className={classNames("absolute top-1 border-l border-line pl-1 whitespace-nowrap", index % 2 === 1 && "hidden md:inline")}
              style={{ left: `${(at / length) * 100}%` }}
            >
              {at === 0 ? "0" : formatDuration(at)}
            </span>
          ))}
      </span>
    </div>
  );
}

interface RowProps {
  step: Step;
  createdAt: string;
  length: number;
  isSelected: boolean;
  onSelect: (path: string) => void;
}

const Row = memo(function Row({ step, createdAt, length, isSelected, onSelect }: RowProps) {
  const { tone, label } = STATUS_LOOKS[step.status];
  const parts = partsOf(step, createdAt, length);
  const took = step.time?.total_ms;
  return (
    <button
      type="button"
      data-path={step.path}
      aria-pressed={isSelected}
      onClick={() => onSelect(step.path)}
      className={classNames(
        "flex h-full w-full border-b border-line text-left focus-visible:-outline-offset-2",
        isSelected ? "bg-sunken" : "bg-surface hover:bg-canvas",
      )}
    >
      <span className={NAME}>
        <Lamp tone={tone} />
        <span className="truncate">{step.name ?? step.id}</span>
        <span className="sr-only">, {label}{took === undefined ? "" : `, ${formatDuration(took)}`}</span>
      </span>
      <span aria-hidden="true" className="relative mr-3 grow">
        {parts.map((part) => (
          <Bar key={`${part.attempt}${part.kind}`} part={part} length={length} />
        ))}
        {parts.length === 0 && <span className="absolute inset-y-0 left-2 flex items-center text-xs text-ink-3">{label}</span>}
      </span>
    </button>
  );
});

function Bar({ part, length }: { part: Part; length: number }) {
  const look = part.kind === "running" ? `h-3.5 ${SOLID[part.tone]}` : OUTLINED[part.kind];
  return (
    <span
      title={`${part.attempt > 0 ? `Attempt ${part.attempt}: ` : ""}${part.kind.replace("_", " ")} ${formatDuration(part.to - part.from)}`}
      className={`absolute top-1/2 min-w-[3px] -translate-y-1/2 rounded-chip ${look}`}
      style={{ left: `min(${(part.from / length) * 100}%, 100% - 3px)`, width: `${((part.to - part.from) / length) * 100}%` }}
    />
  );
}
