import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Menu, MenuItem, MenuLine } from "@/components/ui/menu";
import { useAction } from "@/components/ui/use-action";
import { usePermission } from "@/lib/me";
import { useOnce } from "@/lib/once";
import * as workflows from "./api";
import { useShowRun } from "./use-show-run";

interface WorkflowMenuProps {
  workflow: workflows.Known;
  /** What else happens once it is deleted, where its own page shows it: there, the draft that is seen is published by a button of the page's. */
  onDeleted?: () => void;
}

/** What can be done to one workflow, as far as the role allows. */
export function WorkflowMenu({ workflow, onDeleted }: WorkflowMenuProps) {
  const [isDeleting, setIsDeleting] = useState(false);
  const { mutate } = useAction(workflows.WORKFLOWS, workflows.WORKFLOW);
  const navigate = useNavigate();
  const showRun = useShowRun();
  // One each: what is asked for beside it makes nobody forget that the other may have been done.
  const startOnce = useOnce();
  const copyOnce = useOnce();
  const mayStart = usePermission("runs:start");
  const mayWrite = usePermission("workflows:write");
  const mayPublish = usePermission("workflows:publish");
  const mayDelete = usePermission("workflows:delete");
  const { id, name, enabled, published_version: version } = workflow;

  const run = async () => {
    const { run_id: runId } = await startOnce.ask(id, (header) => workflows.start(id, "{}", header));
    showRun(`A run of ${name} has begun.`, runId);
    return undefined;
  };
  const publish = async () => `${name} is live as version ${(await workflows.publish(id)).version}.`;
  const toggle = async () => {
    await workflows.setEnabled(workflow, !enabled);
    return enabled ? `${name} is off: its triggers start nothing.` : `${name} is on.`;
  };
  const duplicate = async () => {
    const made = await workflows.duplicate(id, copyOnce);
    // Where something is unsaved, that is asked about first; and that the copy is there is told all the same.
    void navigate({ to: "/workflows/$workflowId", params: { workflowId: made.id } });
    return `${made.name} was made. Triggers stay with the original.`;
  };
  const save = (format: "yaml" | "json") => async () => {
    await workflows.exportFile(id, format);
    return undefined;
  };
  const remove = async () => {
    await workflows.remove(workflow);
    onDeleted?.();
    return `${name} was deleted. Its runs stay.`;
  };
  return (
    <>
      <Menu trigger={<IconButton label={`Actions for ${name}`} icon="more" />}>
        <MenuItem
          icon="play"
          isDisabled={!mayStart || version === null}
          onSelect={() => mutate({ failure: `${name} was not started.`, work: run })}
        >
          {version === null ? "Run (publish it first)" : "Run"}
        </MenuItem>
        {onDeleted === undefined && (
          <MenuItem
            icon="check"
            isDisabled={!mayPublish}
            onSelect={() => mutate({ failure: `${name} was not published.`, work: publish })}
          >
            Publish the draft
          </MenuItem>
        )}
        <MenuItem
          icon={enabled ? "pause" : "play"}
          isDisabled={!mayWrite}
          onSelect={() => mutate({ failure: `${name} was not changed.`, work: toggle })}
        >
          {enabled ? "Turn off" : "Turn on"}
        </MenuItem>
        <MenuItem
          icon="copy"
          isDisabled={!mayWrite}
          onSelect={() => mutate({ failure: `${name} was not duplicated.`, work: duplicate })}
        >
          Duplicate
        </MenuItem>
        <MenuItem icon="export" onSelect={() => mutate({ failure: `${name} was not exported.`, work: save("yaml") })}>
          Export as YAML
        </MenuItem>
        <MenuItem icon="export" onSelect={() => mutate({ failure: `${name} was not exported.`, work: save("json") })}>
          Export as JSON
        </MenuItem>
        <MenuLine />
        <MenuItem icon="trash" isDangerous isDisabled={!mayDelete} onSelect={() => setIsDeleting(true)}>
          Delete
        </MenuItem>
      </Menu>
      <Confirm
        isOpen={isDeleting}
        onClose={() => setIsDeleting(false)}
        title={`Delete ${name}?`}
        verb="Delete"
        onConfirm={() => {
          setIsDeleting(false);
          mutate({ failure: `${name} was not deleted.`, work: remove });
        }}
      >
        Its triggers stop at once. Its runs and versions stay.
      </Confirm>
    </>
  );
}
