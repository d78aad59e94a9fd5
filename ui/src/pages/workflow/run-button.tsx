import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { CodeField } from "@/components/ui/code-field";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { start } from "@/features/workflows/api";
import { faultOfJson } from "@/lib/json-text";
import { usePermission } from "@/lib/me";
import { useOnce } from "@/lib/once";
import { describeError } from "@/lib/problem";
import type { Detail } from "./api";

/** Start a run of the live version, with the input that is wanted. */
export function RunButton({ workflow }: { workflow: Detail }) {
  const [isOpen, setIsOpen] = useState(false);
  const [text, setText] = useState("{}");
  const mayStart = usePermission("runs:start");
  const navigate = useNavigate();
  const once = useOnce();
  const begin = useMutation({
    mutationFn: (input: string) => once.ask(input, (header) => start(workflow.id, input, header)),
    onSuccess: ({ run_id: runId }) => navigate({ to: "/runs/$runId", params: { runId } }),
  });
  const open = () => {
    begin.reset();
    setIsOpen(true);
  };
  const fault = faultOfJson(text);
  const isPublished = workflow.published_version !== null;
  const title = !mayStart ? "It takes an operator to start runs." : isPublished ? undefined : "Publish it first.";
  return (
    <>
      <Button icon="play" title={title} disabled={!mayStart || !isPublished} onClick={open}>
        Run
      </Button>
      <Dialog
        isOpen={isOpen}
        onClose={() => setIsOpen(false)}
        title={`Run ${workflow.name}`}
        actions={
          <Button kind="primary" icon="play" disabled={fault !== undefined} isBusy={begin.isPending} onClick={() => begin.mutate(text)}>
            Run version {workflow.published_version}
          </Button>
        }
      >
        <p className="mb-2 text-ink-2">The input as JSON; steps see it as “input”.</p>
        <CodeField label="Input" text={text} onText={setText} faults={fault} rows={8} />
        <FormError>{fault === undefined ? undefined : [...fault].map(([line, message]) => `Line ${line}: ${message}`)}</FormError>
        <FormError>{begin.isError ? describeError(begin.error) : undefined}</FormError>
      </Dialog>
    </>
  );
}
