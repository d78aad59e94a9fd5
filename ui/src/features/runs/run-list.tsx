import { Link } from "@tanstack/react-router";
import type { MouseEvent as MouseDown } from "react";
import { StatusBadge } from "@/components/ui/lamp";
import { Duration, Moment } from "@/components/ui/moment";
import { RowTable, focusedRow } from "@/components/ui/row-table";
import type { Schemas } from "@/lib/api";
import { classNames } from "@/lib/class-names";
import { shortenId } from "@/lib/id";
import { useShortcuts } from "@/lib/shortcuts";
import { nameTrigger } from "@/lib/trigger-words";
import { nameVersion } from "./run";

const TITLES = ["Status", "Workflow", "Trigger", "Created", "Duration"];
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
  /** `isStretch`: with all from the one before. */
  onTick: (id: string, isStretch: boolean) => void;
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
  const tickFocused = (isStretch: boolean) => {
    const run = runs[focusedRow() ?? -1];
    if (run !== undefined) selection?.onTick(run.id, isStretch);
  };
  useShortcuts(
    selection === undefined
      ? []
      : [
          { key: "x", label: "Select the run", run: () => tickFocused(false) },
          { key: "X", label: "Select all from the one before", run: () => tickFocused(true) },
        ],
  );
  return (
    <RowTable
      label="Runs"
      noun="run"
      titles={selection === undefined ? TITLES : [".Selected", ...TITLES]}
      look={LOOKS[selection === undefined ? "plain" : "ticked"]}
      rows={runs}
      cells={(run, isWide) => <RunCells run={run} isWide={isWide} selection={selection} />}
      onMore={onMore}
    />
  );
}

interface RunCellsProps {
  run: Run;
  /** Else what went wrong stands in a line of its own, as far as it fits. */
  isWide: boolean;
  selection: Selection | undefined;
}

/** With Shift, browsers would also mark all text from where the pointer was last. */
function keepUnmarked(event: MouseDown<HTMLInputElement>): void {
  if (!event.shiftKey) return;
  event.preventDefault();
  event.currentTarget.focus();
}

function RunCells({ run, isWide, selection }: RunCellsProps) {
  const wrong = run.error !== null && <span dir="auto" className="truncate text-left text-ink-2">{run.error.message}</span>;
  return (
    <>
      {selection !== undefined && (
        <span role="cell" className="flex items-center max-md:row-span-3">
          <input
            type="checkbox"
            aria-label={`Select the run ${shortenId(run.id)} of ${run.workflow_name}`}
            checked={selection.ticked.has(run.id)}
            // Space presses it as well as the pointer.
            onChange={({ nativeEvent }) => selection.onTick(run.id, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey)}
            onMouseDown={keepUnmarked}
            className="size-4 accent-ink"
          />
        </span>
      )}
      <span role="cell" className="max-md:row-span-3 max-md:self-center">
        <StatusBadge status={run.status} />
      </span>
      <span role="cell" className="flex min-w-0 items-baseline gap-2 max-md:col-span-2">
        {/* What went wrong may be long: the name keeps its room all the same. */}
        <Link
          to="/runs/$runId"
          params={{ runId: run.id }}
          dir="auto"
          className={classNames("truncate text-left font-semibold hover:underline", wrong !== false && "md:max-w-3/5 md:shrink-0")}
        >
          {run.workflow_name}
        </Link>
        <span className="font-mono text-xs text-ink-3">{nameVersion(run.version)}</span>
        {run.is_test && <span className="rounded-chip border border-line-strong px-1 text-xs text-ink-2">test</span>}
        {isWide && wrong}
      </span>
      <span role="cell" className="text-ink-2 max-md:order-2">
        {nameTrigger(run.trigger_type)}
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
