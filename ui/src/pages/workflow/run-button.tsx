import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { JsonDialog } from "@/components/ui/json-dialog";
import { start } from "@/features/workflows/api";
import { useShowRun } from "@/features/workflows/use-show-run";
import { usePermission } from "@/lib/me";
import { useOnce } from "@/lib/once";
import type { Detail } from "./api";

/** Start a run of the live version, with the input that is wanted. */
export function RunButton({ workflow }: { workflow: Detail }) {
  const [isOpen, setIsOpen] = useState(false);
  const [text, setText] = useState("{}");
  const mayStart = usePermission("runs:start");
  const showRun = useShowRun();
  const once = useOnce();
  const begin = useMutation({
    mutationFn: (input: string) => once.ask(input, (header) => start(workflow.id, input, header)),
    onSuccess: ({ run_id: runId }) => {
      setIsOpen(false);
      showRun(`A run of ${workflow.name} has begun.`, runId);
    },
  });
  const open = () => {
    begin.reset();
    setIsOpen(true);
  };
  const isPublished = workflow.published_version !== null;
  const title = !mayStart ? "It takes an operator to start runs." : isPublished ? undefined : "Publish it first.";
  return (
    <>
      <Button icon="play" title={title} disabled={!mayStart || !isPublished} onClick={open}>
        Run
      </Button>
      {isOpen && (
        <JsonDialog
          title={`Run ${workflow.name}`}
          verb={`Run version ${workflow.published_version}`}
          label="Input"
          text={text}
          onText={setText}
          sent={begin}
          onClose={() => setIsOpen(false)}
          onSend={(json) => begin.mutate(json)}
        >
          The input as JSON; steps see it as “input”.
        </JsonDialog>
      )}
    </>
  );
}
