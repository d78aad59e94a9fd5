import { memo } from "react";
import { Lamp } from "@/components/ui/lamp";
import { classNames } from "@/lib/class-names";
import { formatDuration } from "@/lib/format";
import { STATUS_LOOKS, type Tone } from "@/lib/status";
import type { Step } from "./api";
import { type Part, partsOf, ticksOf, tookOf } from "./waterfall";

const TICKS = 5;
/** More of them are not drawn, however long the time is drawn. */
const MOST_TICKS = 400;

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

const NAME = "sticky left-0 z-1 flex h-full w-36 shrink-0 items-center gap-2 border-r border-line bg-inherit px-2 md:w-64";

/** The times above the rows. */
export function Scale({ length, factor }: { length: number; factor: number }) {
  return (
    <div aria-hidden="true" className="sticky top-0 z-2 flex h-6 border-b border-line bg-surface font-mono text-xs text-ink-3">
      <span className={NAME} data-names />
      <span className="relative mr-3 grow overflow-hidden">
        {ticksOf(length, Math.min(MOST_TICKS, TICKS * factor))
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
  onPress: (path: string) => void;
}

/** A step over the time of its run. */
export const Row = memo(function Row({ step, createdAt, length, isSelected, onPress }: RowProps) {
  const { tone, label } = STATUS_LOOKS[step.status];
  const parts = partsOf(step, createdAt, length);
  const took = tookOf(step, createdAt, length);
  return (
    <button
      type="button"
      data-path={step.path}
      aria-pressed={isSelected}
      onClick={() => onPress(step.path)}
      className={classNames(
        "flex h-full w-full border-b border-line text-left focus-visible:-outline-offset-2",
        isSelected ? "bg-sunken" : "bg-surface hover:bg-canvas",
      )}
    >
      <span className={NAME}>
        <Lamp tone={tone} />
        <span dir="auto" className="grow truncate text-left" title={step.name ?? step.id}>
          {step.name ?? step.id}
        </span>
        <span className="sr-only">, {label}, </span>
        {took !== undefined && <span className="font-mono text-xs whitespace-nowrap text-ink-3 max-md:sr-only">{formatDuration(took)}</span>}
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
