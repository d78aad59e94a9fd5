import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { api, unwrap } from "@/lib/api";
import { sortFaults } from "@/lib/faults";
import { workspacesQuery } from "@/lib/workspaces";

interface NewWorkspaceProps {
  onClose: () => void;
  /** Goes into the workspace of this id, which is there now. */
  onMade: (id: string) => Promise<void>;
}

/** Makes a workspace, whose owner is whoever made it. */
export function NewWorkspace({ onClose, onMade }: NewWorkspaceProps) {
  const id = useId();
  const queryClient = useQueryClient();
  const make = useMutation({
    mutationFn: (name: string) => unwrap(api.POST("/v1/workspaces", { body: { name } })),
    onSuccess: async (workspace) => {
      onClose();
      // It is there, and stands in the menu, even where the way into it fails.
      await queryClient.invalidateQueries({ queryKey: workspacesQuery.queryKey });
      await onMade(workspace.id);
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    make.mutate(String(new FormData(event.currentTarget).get("name")).trim());
  };
  const faults = sortFaults(make.error, ["/name"]);
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title="New workspace"
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form={id} kind="primary" isBusy={make.isPending}>
            Make it
          </Button>
        </>
      }
    >
      <form id={id} onSubmit={submit} className="flex flex-col gap-4">
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
      </form>
    </Dialog>
  );
}
