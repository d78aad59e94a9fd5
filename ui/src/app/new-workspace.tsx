import { useMutation, useQueryClient } from "@tanstack/react-query";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { api, unwrap } from "@/lib/api";
import { sortFaults } from "@/lib/faults";
import { useOnce } from "@/lib/once";
import { workspacesQuery } from "@/lib/workspaces";

interface NewWorkspaceProps {
  onClose: () => void;
  /** Goes into the workspace of this id, which is there now. */
  onMade: (id: string) => Promise<void>;
}

/** Makes a workspace, whose owner is whoever made it. */
export function NewWorkspace({ onClose, onMade }: NewWorkspaceProps) {
  const queryClient = useQueryClient();
  const once = useOnce();
  const make = useMutation({
    mutationFn: (name: string) => once.ask(name, (header) => unwrap(api.POST("/v1/workspaces", { params: { header }, body: { name } }))),
    onSuccess: async (workspace) => {
      onClose();
      // It is there, and stands in the menu, even where the way into it fails.
      await queryClient.invalidateQueries({ queryKey: workspacesQuery.queryKey });
      await onMade(workspace.id);
    },
  });
  const faults = sortFaults(make.error, ["/name"]);
  return (
    <FormDialog
      title="New workspace"
      verb="Make it"
      isBusy={make.isPending}
      onClose={onClose}
      onSubmit={(filled) => make.mutate(String(filled.get("name")).trim())}
    >
      <Field
        label="Name"
        name="name"
        required
        maxLength={200}
        autoComplete="off"
        hint="It has workflows, runs, members and connections of its own. You are its owner, and invite others."
        error={faults.at.get("/name")}
      />
      <FormError>{faults.rest}</FormError>
    </FormDialog>
  );
}
