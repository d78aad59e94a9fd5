import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { Icon } from "@/components/ui/icon";
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLine } from "@/components/ui/menu";
import { toast } from "@/components/ui/toasts";
import { mayLeave } from "@/lib/leave";
import { meQuery } from "@/lib/me";
import { describeError } from "@/lib/problem";
import { workspacesQuery } from "@/lib/workspaces";
import { moveTo } from "./move";
import { NewWorkspace } from "./new-workspace";

/** The workspace that everything on the page belongs to, the way to another, and to one of one's own. */
export function WorkspaceMenu() {
  const me = useQuery(meQuery).data;
  const workspaces = useQuery(workspacesQuery);
  const queryClient = useQueryClient();
  const router = useRouter();
  const [isMaking, setIsMaking] = useState(false);
  const change = async (id: string) => {
    if (id === me?.workspace.id) return;
    // Before the call: whoever stays for something unsaved stays where it belongs.
    if (!(await mayLeave(router.history))) return;
    try {
      await moveTo(id, queryClient, () => router.navigate({ to: "/workflows", ignoreBlocker: true }));
    } catch (error) {
      toast("failed", `The workspace was not changed. ${describeError(error)}`);
    }
  };
  return (
    <>
      <Menu
        align="start"
        trigger={
          <button
            type="button"
            className="flex h-8 min-w-0 items-center gap-2 rounded-control px-2 font-semibold hover:bg-sunken"
          >
            <Icon name="workspace" />
            <span className="truncate">
              <span className="sr-only">Workspace: </span>
              {me?.workspace.name ?? "…"}
            </span>
            <Icon name="down" size={12} />
          </button>
        }
      >
        <MenuLabel>Your workspaces</MenuLabel>
        <MenuChoice
          value={me?.workspace.id ?? ""}
          options={(workspaces.data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          onChoose={(id) => void change(id)}
        />
        <MenuLine />
        <MenuItem icon="plus" onSelect={() => setIsMaking(true)}>
          New workspace…
        </MenuItem>
      </Menu>
      {isMaking && <NewWorkspace onClose={() => setIsMaking(false)} onMade={change} />}
    </>
  );
}
