import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { CodeField } from "@/components/ui/code-field";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { toast } from "@/components/ui/toasts";
import { Allowed } from "@/features/permissions/allowed";
import { api, unwrap } from "@/lib/api";
import { faultOfJson } from "@/lib/json-text";
import { useOnce } from "@/lib/once";
import { describeError } from "@/lib/problem";

interface SignalProps {
  runId: string;
  /** The signal that a step of the run waits for. */
  name: string;
}

/** The way to send the signal that a step waits for, for those who may. */
export function SendSignal({ runId, name }: SignalProps) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <div className="mt-3">
      <Allowed to="runs:control" why="It takes an operator to send signals.">
        <Button kind="primary" onClick={() => setIsOpen(true)}>
          Send signal…
        </Button>
      </Allowed>
      {isOpen && <SignalDialog runId={runId} name={name} onClose={() => setIsOpen(false)} />}
    </div>
  );
}

function SignalDialog({ runId, name, onClose }: SignalProps & { onClose: () => void }) {
  const [text, setText] = useState("{}");
  const fault = faultOfJson(text);
  const queryClient = useQueryClient();
  const once = useOnce();
  const send = useMutation({
    mutationFn: (payload: string) =>
      once.ask(payload, (header) =>
        unwrap(
          api.POST("/v1/runs/{run_id}/signal", {
            params: { path: { run_id: runId }, header },
            body: { name, payload: null },
            // The payload goes as it was typed: what JavaScript makes of long numbers is not always the same.
            bodySerializer: () => `{"name": ${JSON.stringify(name)}, "payload": ${payload}}`,
          }),
        ),
      ),
    onSuccess: () => {
      toast("done", `The signal ${name} was sent.`);
      onClose();
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["run", runId] }),
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={`Send the signal ${name}`}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabled={fault !== undefined} isBusy={send.isPending} onClick={() => send.mutate(text)}>
            Send it
          </Button>
        </>
      }
    >
      <p className="mb-2 text-ink-2">
        The step of this run that has waited for it the longest takes it. The payload, as JSON, becomes that step’s output.
      </p>
      <CodeField label="Payload" text={text} onText={setText} faults={fault} rows={8} />
      <FormError>{fault === undefined ? undefined : [...fault].map(([line, message]) => `Line ${line}: ${message}`)}</FormError>
      <FormError>{send.isError ? describeError(send.error) : undefined}</FormError>
    </Dialog>
  );
}
