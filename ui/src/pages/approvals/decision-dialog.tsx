import { useMutation, useQueryClient } from "@tanstack/react-query";
import { FormError } from "@/components/ui/door";
import { FormDialog } from "@/components/ui/form-dialog";
import { LongText } from "@/components/ui/long-text";
import { TextArea } from "@/components/ui/text-area";
import { toast } from "@/components/ui/toasts";
import { useOnce } from "@/lib/once";
import { ApiProblem, describeError } from "@/lib/problem";
import { APPROVALS, type Approval, type Decision, decide } from "./api";

const LONGEST_COMMENT = 10_000;

interface DialogProps {
  approval: Approval;
  decision: Decision;
  onClose: () => void;
  /** The id of what has the focus once the approval has gone from the page. */
  returnTo: string;
}

/** A decision is taken once and for good: it is asked for again, with why. */
export function DecisionDialog({ approval, decision, onClose, returnTo }: DialogProps) {
  const queryClient = useQueryClient();
  const once = useOnce();
  const isApproval = decision === "approved";
  const taken = useMutation({
    mutationFn: (comment: string) => once.ask(comment, (header) => decide(approval.id, decision, comment, header)),
    onSuccess: () => {
      toast("done", isApproval ? "Approved: the run goes on." : "Rejected: the run goes on without it, or fails.");
      onClose();
    },
    onError: (error) => {
      if (!(error instanceof ApiProblem) || error.code !== "approval_decided") return;
      toast("failed", `It was too late. ${error.message}`);
      onClose();
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: APPROVALS }),
  });
  return (
    <FormDialog
      title={isApproval ? "Approve it?" : "Reject it?"}
      verb={isApproval ? "Approve" : "Reject"}
      leave="Not now"
      isDangerous={!isApproval}
      isBusy={taken.isPending}
      onClose={onClose}
      onSubmit={(filled) => taken.mutate(String(filled.get("comment") ?? "").trim())}
      returnTo={returnTo}
    >
      <LongText text={approval.message} look="whitespace-pre-wrap" />
      <TextArea
        label="Comment"
        name="comment"
        maxLength={LONGEST_COMMENT}
        hint="Left out if empty. The run and its log keep it, with your name. It cannot be taken back."
      />
      <FormError>{taken.isError ? describeError(taken.error) : undefined}</FormError>
    </FormDialog>
  );
}
