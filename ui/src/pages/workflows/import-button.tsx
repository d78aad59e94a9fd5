import { useRef } from "react";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { useAction } from "@/components/ui/use-action";
import { WORKFLOW, WORKFLOWS, importFile } from "@/features/workflows/api";
import { usePermission } from "@/lib/me";
import { useOnce } from "@/lib/once";
import { tellImported, tellMissingSecrets } from "./import-words";

/** Take workflows from a file of YAML or JSON. */
export function ImportButton() {
  const input = useRef<HTMLInputElement>(null);
  const action = useAction(WORKFLOWS, WORKFLOW);
  const mayWrite = usePermission("workflows:write");
  const once = useOnce();
  if (!mayWrite) return null;
  const take = (file: File) =>
    action.mutate({
      failure: `${file.name} was not imported.`,
      work: async () => {
        const { items } = await importFile(file, once);
        const missing = tellMissingSecrets(items);
        // It stays until it is dismissed: what is said of the import itself goes by.
        if (missing !== undefined) toast("failed", missing);
        return tellImported(items);
      },
    });
  return (
    <>
      <input
        ref={input}
        type="file"
        accept=".yaml,.yml,.json"
        aria-label="Workflow file"
        className="hidden"
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = "";
          if (file !== undefined) take(file);
        }}
      />
      <Button icon="import" isBusy={action.isPending} onClick={() => input.current?.click()}>
        Import
      </Button>
    </>
  );
}
