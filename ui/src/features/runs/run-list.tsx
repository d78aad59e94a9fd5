import { Link } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { StatusBadge } from "@/components/ui/lamp";
import { Duration, Moment } from "@/components/ui/moment";
import type { Schemas } from "@/lib/api";
import { useShortcuts } from "@/lib/shortcuts";
import { useIsWide } from "@/lib/use-is-wide";
import { nameVersion } from "./run";

const WIDE_PIXELS = 40;
const NARROW_PIXELS = 80;
/** So many rows before the end, the next page is asked for. */
const AHEAD = 20;
/** On small screens: the status at the left of three lines, and the tick before it. */
const LOOKS = {
  plain: {
    wide: "md:grid md:grid-cols-[8rem_minmax(0,1fr)_6rem_10rem_8rem] md:gap-3",
    narrow: "max-md:grid max-md:grid-cols-[6.75rem_auto_1fr] max-md:content-center max-md:gap-x-2 max-md:gap-y-0.5",
  },
  ticked: {
    wide: "md:grid md:grid-cols-[1.5rem_8rem_minmax(0,1fr)_6rem_10rem_8rem] md:gap-3",
    narrow: "max-md:grid max-md:grid-cols-[1.25rem_6.75rem_auto_1fr] max-md:content-center max-md:gap-x-2 max-md:gap-y-0.5",
  },
} as const;

type Run = Schemas["RunSummary"];

interface Selection {
  ticked: ReadonlySet<string>;
  onTick: (id: string) => void;
}

interface RunListProps {
  runs: readonly Run[];
  /** Left out: rows are looked at alone. */
  selection?: Selection;
  /** Asked for the next page, where there is one. */
  onMore?: (() => void) | undefined;
}

/** Rows of runs, of which those that can be seen are in the page. */
export function RunList({ runs, selection, onMore }: RunListProps) {
  const look = LOOKS[selection === undefined ? "plain" : "ticked"];
  const list = useRef<HTMLDivElement>(null);
  const [offset, setOffset] = useState(0);
  const isWide = useIsWide();
  useLayoutEffect(() => {
    setOffset((list.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
  }, [isWide]);
  const virtualizer = useWindowVirtualizer({
    count: runs.length,
    estimateSize: () => (isWide ? WIDE_PIXELS : NARROW_PIXELS),
    getItemKey: (index) => runs[index]?.id ?? index,
    overscan: 8,
    scrollMargin: offset,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, isWide]);
  const rows = virtualizer.getVirtualItems();
  const last = rows.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= runs.length - AHEAD) onMore?.();
  }, [last, onMore, runs.length]);
  const focusRow = useRowFocus(list, runs.length, (index) => virtualizer.scrollToIndex(index));
  useShortcuts([
    { key: "j", label: "Next run", run: () => focusRow(1) },
    { key: "k", label: "Run before", run: () => focusRow(-1) },
    ...(selection === undefined ? [] : [{ key: "x", label: "Select the run", run: () => tickFocused(runs, selection) }]),
  ]);
  return (
    <div role="table" aria-label="Runs" aria-rowcount={runs.length + 1} className="border border-line bg-surface md:rounded-control">
      <div role="rowgroup" className="hidden md:block">
        <div role="row" aria-rowindex={1} className={`${look.wide} px-3 py-2 text-xs text-ink-3`}>
          {selection !== undefined && (
            <span role="columnheader">
              <span className="sr-only">Selected</span>
            </span>
          )}
          {["Status", "Workflow", "Trigger", "Created", "Duration"].map((name) => (
            <span key={name} role="columnheader">
              {name}
            </span>
          ))}
        </div>
      </div>
      <div ref={list} role="rowgroup" className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {rows.map(({ index, start, size, key }) => {
          const run = runs[index];
          return (
            run !== undefined && (
              <div
                key={key}
                role="row"
                aria-rowindex={index + 2}
                data-row={index}
                className={`absolute inset-x-0 border-t border-line px-3 hover:bg-canvas ${look.narrow} ${look.wide} md:items-center`}
                style={{ height: size, transform: `translateY(${start - offset}px)` }}
              >
                <RunCells run={run} isWide={isWide} selection={selection} />
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

interface RunCellsProps {
  run: Run;
  /** Else what went wrong stands in a line of its own, as far as it fits. */
  isWide: boolean;
  selection: Selection | undefined;
}

function RunCells({ run, isWide, selection }: RunCellsProps) {
  const wrong = run.error !== null && <span className="truncate text-ink-2">{run.error.message}</span>;
  return (
    <>
      {selection !== undefined && (
        <span role="cell" className="flex items-center max-md:row-span-3">
          <input
            type="checkbox"
            aria-label={`Select the run ${run.id.slice(-8)} of ${run.workflow_name}`}
            checked={selection.ticked.has(run.id)}
            onChange={() => selection.onTick(run.id)}
            className="size-4 accent-ink"
          />
        </span>
      )}
      <span role="cell" className="max-md:row-span-3 max-md:self-center">
        <StatusBadge status={run.status} />
      </span>
      <span role="cell" className="flex min-w-0 items-baseline gap-2 max-md:col-span-2">
        <Link to="/runs/$runId" params={{ runId: run.id }} className="truncate font-semibold hover:underline">
          {run.workflow_name}
        </Link>
        <span className="font-mono text-xs text-ink-3">{nameVersion(run.version)}</span>
        {run.is_test && <span className="rounded-chip border border-line-strong px-1 text-xs text-ink-2">test</span>}
        {isWide && wrong}
      </span>
      <span role="cell" className="text-ink-2 max-md:order-2">
        {run.trigger_type}
      </span>
      <span role="cell" className="flex min-w-0 gap-2 text-ink-2 max-md:order-1 max-md:col-span-2">
        <Moment at={run.created_at} />
        {!isWide && wrong}
      </span>
      <span role="cell" className="max-md:order-3">
        <Duration from={run.started_at} to={run.finished_at} />
      </span>
    </>
  );
}

/** Move the focus by rows; one that is not in the page yet is scrolled to first. */
function useRowFocus(list: { current: HTMLDivElement | null }, count: number, scrollTo: (index: number) => void) {
  return (step: number) => {
    const from = focusedRow() ?? (step > 0 ? -1 : count);
    const index = Math.max(0, Math.min(count - 1, from + step));
    const find = () => list.current?.querySelector<HTMLElement>(`[data-row="${index}"] a`);
    if (find() == null) scrollTo(index);
    requestAnimationFrame(() => {
      find()?.focus();
      find()?.scrollIntoView({ block: "nearest" });
    });
  };
}

function tickFocused(runs: readonly Run[], { onTick }: Selection): void {
  const run = runs[focusedRow() ?? -1];
  if (run !== undefined) onTick(run.id);
}

/** The row that has the focus. */
function focusedRow(): number | undefined {
  const focused = document.activeElement?.closest<HTMLElement>("[data-row]");
  return focused == null ? undefined : Number(focused.dataset["row"]);
}
