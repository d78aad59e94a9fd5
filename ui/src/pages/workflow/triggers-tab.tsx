import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { WhyNot } from "@/components/ui/why-not";
import { usePermission } from "@/lib/me";
import type { Detail } from "./api";
import { triggersQuery } from "./trigger-api";
import { TriggerCard } from "./trigger-card";
import { TriggerDialog } from "./trigger-dialog";

/** What starts the workflow. */
export function TriggersTab({ workflow }: { workflow: Detail }) {
  const query = useQuery(triggersQuery(workflow.id));
  const [isAdding, setIsAdding] = useState(false);
  const mayWrite = usePermission("triggers:write");
  if (query.isPending) return <LoadingRows />;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  const triggers = query.data.items;
  const why = workflow.published_version === null ? "It is not published" : workflow.enabled ? undefined : "The workflow is off";
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-3">
        {why !== undefined && triggers.length > 0 && <p className="grow text-ink-2">{why}: its triggers start nothing.</p>}
        {mayWrite ? (
          <Button icon="plus" onClick={() => setIsAdding(true)}>
            Add a trigger
          </Button>
        ) : (
          <WhyNot>It takes an editor to change triggers.</WhyNot>
        )}
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
