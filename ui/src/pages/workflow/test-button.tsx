import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { JsonDialog } from "@/components/ui/json-dialog";
import { useShowRun } from "@/features/workflows/use-show-run";
import { api, unwrap } from "@/lib/api";
import { addJson } from "@/lib/json-text";
import { type OnceHeader, useOnce } from "@/lib/once";
import type { Detail } from "./api";

/** Run the draft as it is saved; the JSON of its input goes as it was typed, with every digit. */
function startTest(id: string, input: string, header: OnceHeader) {
  return unwrap(
    api.POST("/v1/workflows/{workflow_id}/test", {
      params: { path: { workflow_id: id }, header },
      body: { trigger: {}, mocks: {} },
      bodySerializer: () => addJson({}, "input", input),
    }),
  );
}

/** Run the draft as it is saved, before it is published. */
export function TestButton({ workflow, isUnsaved }: { workflow: Detail; isUnsaved: boolean }) {
  const [isOpen, setIsOpen] = useState(false);
  const [text, setText] = useState("{}");
  const showRun = useShowRun();
  const once = useOnce();
  const begin = useMutation({
    mutationFn: (input: string) => once.ask(`${workflow.revision} ${input}`, (header) => startTest(workflow.id, input, header)),
    onSuccess: ({ run_id: runId }) => {
      setIsOpen(false);
      showRun(`A test of ${workflow.name} has begun.`, runId);
    },
  });
  const open = () => {
    begin.reset();
    setIsOpen(true);
  };
  const why = isUnsaved ? "Save the draft first." : workflow.problems.length > 0 ? "The draft has faults; the definition shows them." : undefined;
  return (
    <>
      <Button title={why} disabled={why !== undefined} onClick={open}>
        Test draft…
      </Button>
      {isOpen && (
        <JsonDialog
          title={`Test the draft of ${workflow.name}`}
          verb="Test it"
          label="Input"
          text={text}
          onText={setText}
          sent={begin}
          onClose={() => setIsOpen(false)}
          onSend={(json) => begin.mutate(json)}
        >
          The draft runs once as it is saved, and its steps do what they do. The input as JSON; steps see it as “input”.
        </JsonDialog>
      )}
    </>
  );
}
