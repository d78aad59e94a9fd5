import { Link } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { LongText } from "@/components/ui/long-text";
import { Moment } from "@/components/ui/moment";
import type { Approval, Decision } from "./api";

interface OpenApprovalProps {
  approval: Approval;
  mayDecide: boolean;
  onDecide: (decision: Decision) => void;
}

/** What a run asks for, and the buttons that decide it. */
export function OpenApproval({ approval, mayDecide, onDecide }: OpenApprovalProps) {
  const about = approval.message.slice(0, 80);
  return (
    <li className="flex flex-col gap-3 rounded-control border border-line-strong bg-surface p-4" data-approval={approval.id}>
      <Source approval={approval} />
      <LongText text={approval.message} look="whitespace-pre-wrap" />
      <p className="flex flex-wrap gap-x-4 text-xs text-ink-3">
        <span>
          Asked <Moment at={approval.created_at} isRelative />
        </span>
        {approval.due_at !== null && (
          <span>
            Times out <Moment at={approval.due_at} isRelative />
          </span>
        )}
      </p>
      {mayDecide && (
        <div className="mt-auto flex gap-2">
          <Button kind="primary" icon="check" aria-label={`Approve: ${about}`} onClick={() => onDecide("approved")}>
            Approve
          </Button>
          <Button icon="close" aria-label={`Reject: ${about}`} onClick={() => onDecide("rejected")}>
            Reject
          </Button>
        </div>
      )}
    </li>
  );
}

/** Which run asks, and which step of it. */
export function Source({ approval }: { approval: Approval }) {
  return (
    <p className="flex flex-wrap items-baseline gap-x-2 wrap-anywhere">
      <Link to="/runs/$runId" params={{ runId: approval.run_id }} className="font-semibold hover:underline">
        <bdi>{approval.workflow_name}</bdi>
      </Link>
      <span className="font-mono text-xs text-ink-3">{approval.step_id}</span>
    </p>
  );
}
