import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { CodeField } from "@/components/ui/code-field";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { api, unwrap } from "@/lib/api";
import { faultOfJson } from "@/lib/json-text";
import { useOnce } from "@/lib/once";
import { describeError } from "@/lib/problem";
import type { Detail } from "./api";

/** Run the draft as it is saved, before it is published. */
export function TestButton({ workflow, isUnsaved }: { workflow: Detail; isUnsaved: boolean }) {
  const [isOpen, setIsOpen] = useState(false);
  const [text, setText] = useState("{}");
  const navigate = useNavigate();
  const once = useOnce();
  const begin = useMutation({
    mutationFn: (input: string) =>
      once.ask(`${workflow.revision} ${input}`, (header) =>
        unwrap(
          api.POST("/v1/workflows/{workflow_id}/test", {
            params: { path: { workflow_id: workflow.id }, header },
            body: { trigger: {}, mocks: {} },
            // The input goes as it was typed: what JavaScript makes of long numbers is not always the same.
            bodySerializer: () => `{"input": ${input}}`,
          }),
        ),
      ),
    onSuccess: ({ run_id: runId }) => navigate({ to: "/runs/$runId", params: { runId } }),
  });
  const open = () => {
    begin.reset();
    setIsOpen(true);
  };
  const fault = faultOfJson(text);
  const why = isUnsaved ? "Save the draft first." : workflow.problems.length > 0 ? "The draft has faults; the definition shows them." : undefined;
  return (
    <>
      <Button title={why} disabled={why !== undefined} onClick={open}>
        Test draft…
      </Button>
      <Dialog
        isOpen={isOpen}
        onClose={() => setIsOpen(false)}
        title={`Test the draft of ${workflow.name}`}
        actions={
          <>
            <Button onClick={() => setIsOpen(false)}>Cancel</Button>
            <Button kind="primary" icon="play" disabled={fault !== undefined} isBusy={begin.isPending} onClick={() => begin.mutate(text)}>
              Test it
            </Button>
          </>
        }
      >
        <p className="mb-2 text-ink-2">
          The draft runs once as it is saved, and its steps do what they do. The input as JSON; steps see it as “input”.
        </p>
        <CodeField label="Input" text={text} onText={setText} faults={fault} rows={8} />
        <FormError>{fault === undefined ? undefined : [...fault].map(([line, message]) => `Line ${line}: ${message}`)}</FormError>
        <FormError>{begin.isError ? describeError(begin.error) : undefined}</FormError>
      </Dialog>
    </>
  );
}
