import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { api, unwrap } from "@/lib/api";
import { usePermission } from "@/lib/me";
import { useOnce } from "@/lib/once";
import { describeError } from "@/lib/problem";
import { useShortcuts } from "@/lib/shortcuts";
import { isLive } from "@/lib/status";
import type { Run } from "./api";
import { RerunDialog } from "./rerun-dialog";

interface Beginning {
  /** The step that the new run begins with; null for the whole. */
  step: string | null;
}

/** Cancel, retry, rerun: what the run's status leaves to do; switched off where the role may not. */
export function RunActions({ run, fromStep }: { run: Run; fromStep: string | undefined }) {
  const mayControl = usePermission("runs:control");
  const mayStart = usePermission("runs:start");
  const queryClient = useQueryClient();
  const path = { run_id: run.id };
  const once = useOnce();
  const settle = () => queryClient.invalidateQueries({ queryKey: ["run", run.id] });
  const cancel = useMutation({
    // Which attempt of the run was told to stop: a retry of it goes on.
    mutationFn: (_attempt: number) => unwrap(api.POST("/v1/runs/{run_id}/cancel", { params: { path }, body: {} })),
    onSuccess: () => toast("done", "The run is being cancelled."),
    onError: (error) => toast("failed", `The run was not cancelled. ${describeError(error)}`),
    onSettled: settle,
  });
  const retry = useMutation({
    mutationFn: (attempt: number) =>
      once.ask(String(attempt), (header) => unwrap(api.POST("/v1/runs/{run_id}/retry", { params: { path, header }, body: {} }))),
    onSuccess: () => toast("done", "The run goes on from what failed."),
    onError: (error) => toast("failed", `The run was not retried. ${describeError(error)}`),
    onSettled: settle,
  });
  const [from, setFrom] = useState<Beginning>();
  useShortcuts([{ key: "r", label: "Rerun", run: () => !isLive(run.status) && mayStart && mayControl && setFrom({ step: null }) }]);
  const refusal = "Your role may not do this: it takes an operator.";
  const denied = (may: boolean) => (may ? {} : { disabled: true, title: refusal });
  const isAsked = cancel.isPending || (cancel.isSuccess && cancel.variables === run.attempt);
  return (
    <>
      {isLive(run.status) ? (
        <Button kind="danger" isBusy={isAsked} onClick={() => cancel.mutate(run.attempt)} {...denied(mayControl)}>
          {isAsked ? "Cancelling" : "Cancel"}
        </Button>
      ) : (
        <>
          {fromStep !== undefined && (
            <Button className="max-w-60" onClick={() => setFrom({ step: fromStep })} {...denied(mayStart && mayControl)}>
              {/* An id may have 63 letters. */}
              <span className="truncate">Rerun from {fromStep}</span>
            </Button>
          )}
          <Button onClick={() => setFrom({ step: null })} {...denied(mayStart && mayControl)}>
            Rerun
          </Button>
          {run.status !== "succeeded" && (
            <Button kind="primary" icon="refresh" isBusy={retry.isPending} onClick={() => retry.mutate(run.attempt)} {...denied(mayControl)}>
              Retry
            </Button>
          )}
        </>
      )}
      {/* Whatever becomes of the run meanwhile: what is typed in it stays until somebody closes it. */}
      {from !== undefined && <RerunDialog run={run} fromStep={from.step} onClose={() => setFrom(undefined)} />}
    </>
  );
}
