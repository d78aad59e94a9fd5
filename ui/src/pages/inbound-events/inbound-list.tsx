import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Moment } from "@/components/ui/moment";
import { RowTable } from "@/components/ui/row-table";
import { type Receipt, tellReason } from "@/features/inbound-events/outcome";
import { OutcomeBadge } from "@/features/inbound-events/outcome-badge";
import { shortenId } from "@/lib/id";
import { nameTrigger } from "@/lib/trigger-words";

const TITLES = ["Outcome", "Workflow", "Trigger", "What became of it", "Received"];
/** On small screens: the outcome at the left of three lines. */
const LOOK = {
  wide: "md:grid md:grid-cols-[7rem_minmax(0,1fr)_6rem_minmax(0,1.5fr)_10rem] md:gap-3",
  narrow: "max-md:grid max-md:grid-cols-[6.75rem_minmax(0,1fr)_auto] max-md:content-center max-md:gap-x-2 max-md:gap-y-0.5",
};

interface InboundListProps {
  receipts: readonly Receipt[];
  /** Asked for the next page, where there is one. */
  onMore?: (() => void) | undefined;
}

/** Rows of events, of which those that can be seen are in the page. */
export function InboundList({ receipts, onMore }: InboundListProps) {
  return (
    <RowTable label="Events" noun="event" titles={TITLES} look={LOOK} rows={receipts} cells={(receipt) => <ReceiptCells receipt={receipt} />} onMore={onMore} />
  );
}

function ReceiptCells({ receipt }: { receipt: Receipt }) {
  return (
    <>
      <span role="cell" className="max-md:row-span-3 max-md:self-center">
        <OutcomeBadge outcome={receipt.outcome} />
      </span>
      <span role="cell" className="flex min-w-0 max-md:col-span-2">
        {receipt.workflow_id === null ? (
          <span className="truncate text-ink-3">The trigger is deleted</span>
        ) : (
          <Link
            to="/workflows/$workflowId"
            params={{ workflowId: receipt.workflow_id }}
            search={{ tab: "triggers" }}
            dir="auto"
            className="truncate font-semibold hover:underline"
          >
            {receipt.workflow_name}
          </Link>
        )}
      </span>
      <span role="cell" className="text-ink-2 max-md:order-2">
        {receipt.trigger_type === null ? "–" : nameTrigger(receipt.trigger_type)}
      </span>
      <span role="cell" className="min-w-0 truncate text-ink-2 max-md:order-1 max-md:col-span-2">
        <Story receipt={receipt} />
      </span>
      <span role="cell" className="text-ink-2 max-md:order-3">
        <Moment at={receipt.received_at} />
      </span>
    </>
  );
}

/** What became of an event, as far as its outcome does not say it. */
function Story({ receipt: { outcome, reason, run_id: runId, dedup_key: key, due_at: dueAt } }: { receipt: Receipt }): ReactNode {
  switch (outcome) {
    case "started":
      return runId !== null && <RunLink id={runId} />;
    case "duplicate":
      return (
        <>
          a repeat of {runId === null ? "one that waits" : <RunLink id={runId} />}
          {key !== null && (
            <span title={key} className="ml-2 font-mono text-xs text-ink-3">
              {key}
            </span>
          )}
        </>
      );
    case "pending":
      return dueAt === null ? (
        "waits for as long as its trigger or workflow is off"
      ) : (
        <>
          waits until <Moment at={dueAt} />
        </>
      );
    case "filtered":
    case "rejected":
      return reason === null ? null : <span title={reason}>{tellReason(reason)}</span>;
  }
}

function RunLink({ id }: { id: string }) {
  return (
    <Link to="/runs/$runId" params={{ runId: id }} className="inline-block leading-6 underline">
      run <span className="font-mono">{shortenId(id)}</span>
    </Link>
  );
}
