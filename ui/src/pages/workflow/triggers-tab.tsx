import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Loaded } from "@/components/ui/loaded";
import { EmptyState } from "@/components/ui/states";
import { Allowed } from "@/features/permissions/allowed";
import { type Trigger, triggersQuery } from "@/features/triggers/trigger";
import type { Detail } from "./api";
import { TriggerCard } from "./trigger-card";
import { TriggerDialog } from "./trigger-dialog";

/** What starts the workflow. */
export function TriggersTab({ workflow }: { workflow: Detail }) {
  const query = useQuery(triggersQuery(workflow.id));
  return <Loaded query={query}>{({ items }) => <TriggerList workflow={workflow} triggers={items} />}</Loaded>;
}

function TriggerList({ workflow, triggers }: { workflow: Detail; triggers: readonly Trigger[] }) {
  const [isAdding, setIsAdding] = useState(false);
  const why = workflow.published_version === null ? "It is not published" : workflow.enabled ? undefined : "The workflow is off";
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3">
        {why !== undefined && triggers.length > 0 && <p className="grow text-ink-2">{why}: its triggers start nothing.</p>}
        <Allowed to="triggers:write" why="It takes an editor to change triggers.">
          <Button icon="plus" onClick={() => setIsAdding(true)}>
            Add a trigger
          </Button>
        </Allowed>
      </div>
      {triggers.length === 0 && (
        <EmptyState icon="play" title="No triggers yet">
          The workflow starts only by hand and over the API.
        </EmptyState>
      )}
      {triggers.map((trigger) => (
        <TriggerCard key={trigger.id} trigger={trigger} />
      ))}
      {isAdding && <TriggerDialog workflowId={workflow.id} onClose={() => setIsAdding(false)} />}
    </div>
  );
}
