import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { api, unwrap } from "@/lib/api";
import { usePermission } from "@/lib/me";
import { describeError } from "@/lib/problem";
import { isLive } from "@/lib/status";
import type { Run } from "./api";

/** Cancel, retry, rerun: what the run's status leaves to do; switched off where the role may not. */
export function RunActions({ run, fromStep }: { run: Run; fromStep: string | undefined }) {
  const mayControl = usePermission("runs:control");
  const mayStart = usePermission("runs:start");
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const path = { run_id: run.id };
  const settle = () => queryClient.invalidateQueries({ queryKey: ["run", run.id] });
  const cancel = useMutation({
    mutationFn: () => unwrap(api.POST("/v1/runs/{run_id}/cancel", { params: { path }, body: {} })),
    onSuccess: () => toast("done", "The run is being cancelled."),
    onError: (error) => toast("failed", `The run was not cancelled. ${describeError(error)}`),
    onSettled: settle,
  });
  const retry = useMutation({
    mutationFn: () => unwrap(api.POST("/v1/runs/{run_id}/retry", { params: { path }, body: {} })),
    onSuccess: () => toast("done", "The run goes on from what failed."),
    onError: (error) => toast("failed", `The run was not retried. ${describeError(error)}`),
    onSettled: settle,
  });
  const rerun = useMutation({
    mutationFn: (from_step: string | null) =>
      unwrap(api.POST("/v1/runs/{run_id}/rerun", { params: { path }, body: { from_step, version: "same" } })),
    onSuccess: ({ run_id }) => {
      toast("done", "A new run has begun; this is it.");
      void navigate({ to: "/runs/$runId", params: { runId: run_id } });
    },
    onError: (error) => toast("failed", `The run was not repeated. ${describeError(error)}`),
  });
  const refusal = "Your role may not do this: it takes an operator.";
  const denied = (may: boolean) => (may ? {} : { disabled: true, title: refusal });
  if (isLive(run.status)) {
    return (
      <Button kind="danger" isBusy={cancel.isPending} onClick={() => cancel.mutate()} {...denied(mayControl)}>
        Cancel
      </Button>
    );
  }
  return (
    <>
      {fromStep !== undefined && (
        <Button isBusy={rerun.isPending} onClick={() => rerun.mutate(fromStep)} {...denied(mayStart && mayControl)}>
          Rerun from {fromStep}
        </Button>
      )}
      <Button isBusy={rerun.isPending} onClick={() => rerun.mutate(null)} {...denied(mayStart && mayControl)}>
        Rerun
      </Button>
      {run.status !== "succeeded" && (
        <Button kind="primary" icon="refresh" isBusy={retry.isPending} onClick={() => retry.mutate()} {...denied(mayControl)}>
          Retry
        </Button>
      )}
    </>
  );
}
