import type { ReactNode } from "react";
import { classNames } from "@/lib/class-names";
import { type Look, type RunStatus, STATUS_LOOKS, type StepStatus, type Tone } from "@/lib/status";

/** Each state has a shape of its own: colour alone tells nobody anything. */
const SHAPES = {
  succeeded: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" stroke="none" />
      <path d="m4.8 8.3 2.2 2.2 4.2-4.6" className="stroke-surface" strokeWidth="1.8" />
    </>
  ),
  running: (
    <>
      <circle cx="8" cy="8" r="6" strokeOpacity="0.3" />
      <path d="M8 2a6 6 0 0 1 6 6" className="origin-center animate-turn" />
    </>
  ),
  failed: (
    <>
      <path d="M8 .8 15.2 8 8 15.2.8 8z" fill="currentColor" stroke="none" />
      <path d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4" className="stroke-surface" strokeWidth="1.6" />
    </>
  ),
  retrying: <path d="M3 5.5h6.5a3.75 3.75 0 0 1 0 7.5H5M5.5 2.5l-3 3 3 3" />,
  waiting: (
    <>
      <circle cx="8" cy="8" r="6" />
      <path d="M8 2a6 6 0 0 0 0 12z" fill="currentColor" stroke="none" />
    </>
  ),
  queued: <circle cx="8" cy="8" r="6" />,
  cancelled: (
    <>
      <circle cx="8" cy="8" r="6" />
      <path d="m3.8 12.2 8.4-8.4" />
    </>
  ),
  skipped: <circle cx="8" cy="8" r="6" strokeDasharray="2.6 2.1" />,
} satisfies Record<Tone, ReactNode>;

const COLOURS = {
  succeeded: "text-succeeded",
  running: "text-running",
  failed: "text-failed",
  retrying: "text-retrying",
  waiting: "text-waiting",
  queued: "text-queued",
  cancelled: "text-cancelled",
  skipped: "text-skipped",
} satisfies Record<Tone, string>;

const SOFT = {
  succeeded: "bg-succeeded-soft",
  running: "bg-running-soft",
  failed: "bg-failed-soft",
  retrying: "bg-retrying-soft",
  waiting: "bg-waiting-soft",
  queued: "bg-queued-soft",
  cancelled: "bg-cancelled-soft",
  skipped: "bg-skipped-soft",
} satisfies Record<Tone, string>;

/** The lamp alone, where the state is said in words nearby. */
export function Lamp({ tone, size = 14 }: { tone: Tone; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      className={classNames("shrink-0", COLOURS[tone])}
    >
      {SHAPES[tone]}
    </svg>
  );
}

interface BadgeProps {
  look: Look;
  /** What more there is to it, like "2/5". */
  detail?: string;
}

/** A state in shape, colour and words. */
export function Badge({ look: { tone, label }, detail }: BadgeProps) {
  return (
    <span
      className={classNames(
        "inline-flex h-6 items-center gap-1.5 rounded-chip px-1.5 font-semibold whitespace-nowrap",
        COLOURS[tone],
        SOFT[tone],
      )}
    >
      <Lamp tone={tone} />
      {label}
      {detail !== undefined && <span className="font-mono font-normal">{detail}</span>}
    </span>
  );
}

/** The status of a run or step. */
export function StatusBadge({ status, ...rest }: { status: RunStatus | StepStatus; detail?: string }) {
  return <Badge look={STATUS_LOOKS[status]} {...rest} />;
}
