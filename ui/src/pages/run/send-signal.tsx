import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { JsonDialog } from "@/components/ui/json-dialog";
import { toast } from "@/components/ui/toasts";
import { Allowed } from "@/features/permissions/allowed";
import { api, unwrap } from "@/lib/api";
import { addJson } from "@/lib/json-text";
import { type OnceHeader, useOnce } from "@/lib/once";

interface SignalProps {
  runId: string;
  /** The signal that the step waits for; null where it waits for none, or no longer. */
  name: string | null;
}

/** The way to send the signal that a step waits for, for those who may. What is typed stays while the step goes on. */
export function SendSignal({ runId, name }: SignalProps) {
  const [asked, setAsked] = useState<string>();
  return (
    <>
      {name !== null && (
        <div className="mt-3">
          <Allowed to="runs:control" why="It takes an operator to send signals.">
            <Button kind="primary" onClick={() => setAsked(name)}>
              Send signal…
            </Button>
          </Allowed>
        </div>
      )}
      {asked !== undefined && <SignalDialog runId={runId} name={asked} isAwaited={asked === name} onClose={() => setAsked(undefined)} />}
    </>
  );
}

/** Send a signal; the JSON of its payload goes as it was typed, with every digit. */
function send(runId: string, name: string, payload: string, header: OnceHeader) {
  return unwrap(
    api.POST("/v1/runs/{run_id}/signal", {
      params: { path: { run_id: runId }, header },
      body: { name, payload: null },
      bodySerializer: () => addJson({ name }, "payload", payload),
    }),
  );
}

interface SignalDialogProps {
  runId: string;
  name: string;
  isAwaited: boolean;
  onClose: () => void;
}

function SignalDialog({ runId, name, isAwaited, onClose }: SignalDialogProps) {
  const [text, setText] = useState("{}");
  const queryClient = useQueryClient();
  const once = useOnce();
  const signal = useMutation({
    mutationFn: (payload: string) => once.ask(payload, (header) => send(runId, name, payload, header)),
    onSuccess: () => {
      toast("done", `The signal ${name} was sent.`);
      onClose();
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["run", runId] }),
  });
  return (
    <JsonDialog
      title={`Send the signal ${name}`}
      verb="Send it"
      label="Payload"
      text={text}
      onText={setText}
      sent={signal}
      onClose={onClose}
      onSend={(json) => signal.mutate(json)}
    >
      <p>The step of this run that has waited for it the longest takes it. The payload, as JSON, becomes that step’s output.</p>
      <p role="status" className="text-ink">
        {!isAwaited && "The step waits for it no longer. What is sent now is kept for a step that waits later, unless the run has ended."}
      </p>
    </JsonDialog>
  );
}
