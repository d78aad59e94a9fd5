import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { copyText } from "@/components/ui/copy-text";
import { Duration, Moment } from "@/components/ui/moment";
import { nameTrigger } from "@/lib/trigger-words";
import { type Run, nameVersion } from "./api";

/** So many runs that a run has started, or waits for, are named at first. */
const FEW = 5;
const LINK = "text-ink underline";

/** Why a run was cancelled. */
const REASONS: Readonly<Record<string, string>> = {
  requested: "somebody cancelled it",
  concurrency_dropped: "dropped: every slot of its concurrency key was taken",
  concurrency_replaced: "a newer run took its slot",
  parent_ended: "the run that started it has ended",
};

/** What a run is of, what it came from, and which runs it belongs to. */
export function RunFacts({ run }: { run: Run }) {
  const { type } = (run.trigger ?? {}) as { type?: string };
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-1 text-ink-2 md:-mt-3">
      <Link to="/workflows/$workflowId" params={{ workflowId: run.workflow_id }} className={LINK}>
        The workflow
      </Link>
      {run.version === 0 ? <span>test of a draft</span> : <span className="font-mono">{nameVersion(run.version)}</span>}
      {type !== undefined && <span>{nameTrigger(type)}</span>}
      <Moment at={run.created_at} />
      <Duration from={run.started_at} to={run.finished_at} />
      {run.attempt > 1 && <span>attempt {run.attempt}</span>}
      {run.is_test && run.version > 0 && <span>part of a test</span>}
      {run.status === "cancelled" && run.reason !== null && <span>{REASONS[run.reason] ?? run.reason}</span>}
      <span className="flex items-center">
        <span className="font-mono text-xs wrap-anywhere">{run.id}</span>
        <IconButton label="Copy the run's id" icon="copy" onClick={() => void copyText(run.id, "The run's id")} />
      </span>
      {run.trace_id !== null && (
        <span className="flex items-center">
          <span className="mr-1.5">trace</span>
          <span className="font-mono text-xs wrap-anywhere">{run.trace_id}</span>
          <IconButton label="Copy the trace id" icon="copy" onClick={() => void copyText(run.trace_id ?? "", "The trace id")} />
        </span>
      )}
      {run.parent !== null && <RunLink id={run.parent.run_id}>Started by {run.parent.step} of another run</RunLink>}
      {run.origin_run_id !== null && (
        <>
          <RunLink id={run.origin_run_id}>The run that this repeats</RunLink>
          <Link to="/runs/compare" search={{ a: run.origin_run_id, b: run.id }} className={LINK}>
            Compare with it
          </Link>
        </>
      )}
      <Children run={run} />
      {run.concurrency?.slot_at === null && (
        <span>
          held for a slot of <span className="font-mono wrap-anywhere">{run.concurrency.key}</span>
          {run.concurrency.holders.slice(0, FEW).map((holder, index) => (
            <span key={holder}>
              {index === 0 ? ", which is had by " : ", "}
              <RunLink id={holder}>…{holder.slice(-8)}</RunLink>
            </span>
          ))}
        </span>
      )}
    </div>
  );
}

/** The runs that steps of this one have started. */
function Children({ run }: { run: Run }) {
  const [isAll, setIsAll] = useState(false);
  const rest = run.children.length - FEW;
  return (
    <>
      {(isAll ? run.children : run.children.slice(0, FEW)).map((child) => (
        <RunLink key={child.run_id} id={child.run_id}>
          Run of {child.step}
        </RunLink>
      ))}
      {rest > 0 && !isAll && (
        <Button kind="quiet" onClick={() => setIsAll(true)}>
          and {rest} more
        </Button>
      )}
    </>
  );
}

function RunLink({ id, children }: { id: string; children: ReactNode }) {
  return (
    <Link to="/runs/$runId" params={{ runId: id }} className={LINK}>
      {children}
    </Link>
  );
}
