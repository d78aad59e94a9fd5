import { Link } from "@tanstack/react-router";
import { buttonClass, IconButton } from "@/components/ui/button";
import { StatusBadge } from "@/components/ui/lamp";
import { LongText } from "@/components/ui/long-text";
import { Moment } from "@/components/ui/moment";
import { Told } from "@/components/ui/told";
import { ValueView } from "@/features/values/value-view";
import { useNow } from "@/lib/clock";
import type { Run, Step } from "./api";
import { Attempts } from "./attempts";
import { LoopItems } from "./loop-items";
import { INSPECTED } from "./search";
import { SendSignal } from "./send-signal";
import { ageOf, timeOfStep } from "./time";
import { TimeBar } from "./time-bar";

interface InspectorProps {
  run: Run;
  step: Step;
  onClose: () => void;
}

/** One step: why it stands as it does, what went in, what came out, and every attempt. */
export function StepInspector({ run, step, onClose }: InspectorProps) {
  return (
    <section aria-labelledby={INSPECTED} className="min-w-0 rounded-control border border-line bg-surface p-4">
      <div className="flex items-start gap-2">
        <h2 id={INSPECTED} tabIndex={-1} dir="auto" className="grow text-left text-lg font-semibold wrap-anywhere">
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
      <StepDetail run={run} step={step} />
    </section>
  );
}

function StepDetail({ run, step }: { run: Run; step: Step }) {
  return (
    <>
      <p className="mt-3 wrap-anywhere">
        <Told sentence={step.explanation} />
      </p>
      {step.waiting?.due_at != null && (
        <p className="mt-1 text-ink-2">
          Until <Moment at={step.waiting.due_at} />, <Moment at={step.waiting.due_at} isRelative />
        </p>
      )}
      {step.status === "retrying" && step.due_at !== null && (
        <p className="mt-1 text-ink-2">
          Next attempt <Moment at={step.due_at} />, <Moment at={step.due_at} isRelative />
        </p>
      )}
      <Ways run={run} step={step} />
      <SendSignal key={step.path} runId={run.id} name={step.waiting?.signal ?? null} />
      {step.error !== null && <Failure code={step.error.code} message={step.error.message} />}
      {step.time !== null && step.time.total_ms > 0 && <StepTime run={run} step={step} time={step.time} />}
      {step.attempts.length > 0 && <Attempts attempts={step.attempts} />}
      {step.input !== null && <ValueView title="Input" value={step.input} runId={run.id} />}
      {step.output !== null && <ValueView title="Output" value={step.output} runId={run.id} />}
      {step.error !== null && saysMore(step.error) && <ValueView title="Error" value={step.error} runId={run.id} />}
      {step.type === "foreach" && <LoopItems runId={run.id} loop={step} detail={(inner) => <StepDetail run={run} step={inner} />} />}
    </>
  );
}

/** Whether an error holds more than its code and its sentence. */
function saysMore(error: NonNullable<Step["error"]>): boolean {
  return Object.entries(error).some(([name, value]) => name !== "code" && name !== "message" && value != null);
}

/** Where one goes from a step: to the decision that it asks for, and to the run that it started. */
function Ways({ run, step }: { run: Run; step: Step }) {
  const child = run.children.find((one) => one.step === step.path)?.run_id ?? step.waiting?.child_run_id;
  const asks = step.waiting?.approval_id != null;
  if (!asks && child == null) return null;
  return (
    <p className="mt-3 flex flex-wrap gap-2">
      {asks && (
        <Link to="/approvals" search={{ run: run.id }} className={buttonClass("primary")}>
          To the decision
        </Link>
      )}
      {child != null && (
        <Link to="/runs/$runId" params={{ runId: child }} className={buttonClass("secondary")}>
          The run that this step started
        </Link>
      )}
    </p>
  );
}

function StepTime({ run, step, time }: { run: Run; step: Step; time: NonNullable<Step["time"]> }) {
  const now = useNow();
  return (
    <div className="mt-3">
      <TimeBar time={timeOfStep(step, time, ageOf(run, now))} />
    </div>
  );
}

/** What went wrong, in words and by its code. */
export function Failure({ code, message }: { code: string; message: string }) {
  return (
    <div className="mt-3 flex max-w-full min-w-0 flex-wrap items-baseline gap-x-2 rounded-control bg-failed-soft px-3 py-2 text-failed">
      <LongText text={message} />
      <span className="font-mono text-xs wrap-anywhere">{code}</span>
    </div>
  );
}
