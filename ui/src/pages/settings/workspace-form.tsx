import { useMutation, useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { toast } from "@/components/ui/toasts";
import { Allowed } from "@/features/permissions/allowed";
import type { Schemas } from "@/lib/api";
import { sortFaults } from "@/lib/faults";
import { meQuery, usePermission } from "@/lib/me";
import { workspacesQuery } from "@/lib/workspaces";
import { renameWorkspace } from "./api";
import { Section } from "./section";

/** The workspace's name; owners change it. */
export function WorkspaceForm({ workspace }: { workspace: Schemas["WorkspaceView"] }) {
  const mayRename = usePermission("workspace:write");
  const queryClient = useQueryClient();
  const rename = useMutation({
    mutationFn: (name: string) => renameWorkspace(workspace.id, name),
    onSuccess: ({ name }) => toast("done", `The workspace is called ${name}.`),
    onSettled: () =>
      Promise.all([meQuery.queryKey, workspacesQuery.queryKey].map((queryKey) => queryClient.invalidateQueries({ queryKey }))),
  });
  const faults = sortFaults(rename.error, ["/name"]);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    rename.mutate(String(new FormData(event.currentTarget).get("name")).trim());
  };
  return (
    <Section title="Workspace" lead="Everybody in it sees its name.">
      <form onSubmit={submit} className="flex max-w-sm flex-col gap-3">
        {/* Made anew where the name was changed elsewhere, so that it shows that one. */}
        <Field
          key={workspace.name}
          label="Name of the workspace"
          name="name"
          defaultValue={workspace.name}
          maxLength={200}
          required
          readOnly={!mayRename}
          error={faults.at.get("/name")}
        />
        <FormError>{faults.rest}</FormError>
        <Allowed to="workspace:write" why="It takes an owner to rename the workspace.">
          <Button type="submit" className="self-start" isBusy={rename.isPending}>
            Rename
          </Button>
        </Allowed>
      </form>
    </Section>
  );
}
