import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
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
  const form = useId();
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
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    taken.mutate(String(new FormData(event.currentTarget).get("comment") ?? "").trim());
  };
  return (
    <Dialog
      isOpen
      returnTo={returnTo}
      onClose={onClose}
      title={isApproval ? "Approve it?" : "Reject it?"}
      actions={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button type="submit" form={form} kind={isApproval ? "primary" : "danger"} isBusy={taken.isPending}>
            {isApproval ? "Approve" : "Reject"}
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
        <p dir="auto" className="line-clamp-6 text-left whitespace-pre-wrap wrap-anywhere">{approval.message}</p>
        <TextArea
          label="Comment"
          name="comment"
          maxLength={LONGEST_COMMENT}
          hint="Left out if empty. The run and its log keep it, with your name. It cannot be taken back."
        />
        <FormError>{taken.isError ? describeError(taken.error) : undefined}</FormError>
      </form>
    </Dialog>
  );
}
