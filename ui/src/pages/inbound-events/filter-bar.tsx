import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { Select } from "@/components/ui/field";
import { PeriodSelect } from "@/components/ui/period-select";
import { ToneToggles } from "@/components/ui/tone-toggles";
import { OUTCOMES, OUTCOME_LOOKS } from "@/features/inbound-events/outcome";
import { describeTrigger, triggersQuery } from "@/features/triggers/trigger";
import { WorkflowSelect } from "@/features/workflows/workflow-select";
import { nameTrigger } from "@/lib/trigger-words";
import { type InboundFilters, readInboundFilters } from "./filters";

const ANY = "";

/** The filters of the list. Each change is a change of the address. */
export function FilterBar({ filters }: { filters: InboundFilters }) {
  const navigate = useNavigate({ from: "/events" });
  const change = (next: Record<string, unknown>) => void navigate({ search: readInboundFilters({ ...filters, ...next }), replace: true });
  return (
    <div className="flex flex-wrap items-center gap-2 px-4 pb-3 md:px-6">
      <ToneToggles
        label="Outcome"
        names={OUTCOMES}
        looks={OUTCOME_LOOKS}
        chosen={filters.outcome ?? []}
        onChange={(outcome) => change({ outcome })}
      />
      {/* A trigger of another workflow would leave nothing over. */}
      <WorkflowSelect workflow={filters.workflow} onChange={(workflow) => change({ workflow, trigger: undefined })} />
      {(filters.workflow !== undefined || filters.trigger !== undefined) && (
        <TriggerSelect workflow={filters.workflow} trigger={filters.trigger} onChange={(trigger) => change({ trigger })} />
      )}
      <PeriodSelect period={filters.period} onChange={(period) => change({ period })} />
      {Object.keys(filters).length > 0 && (
        <Button kind="quiet" icon="close" onClick={() => void navigate({ search: {}, replace: true })}>
          Clear filters
        </Button>
      )}
    </div>
  );
}

interface TriggerSelectProps {
  workflow: string | undefined;
  trigger: string | undefined;
  onChange: (trigger: string | undefined) => void;
}

/** The triggers of the workflow that was chosen; one that is not among them, as after it was deleted, by its id. */
function TriggerSelect({ workflow = "", trigger, onChange }: TriggerSelectProps) {
  const triggers = useQuery({ ...triggersQuery(workflow), enabled: workflow !== "" }).data?.items ?? [];
  return (
    <Select
      label="Trigger"
      className="w-56"
      value={trigger ?? ANY}
      onChange={(event) => onChange(event.target.value === ANY ? undefined : event.target.value)}
    >
      <option value={ANY}>Any trigger</option>
      {trigger !== undefined && !triggers.some(({ id }) => id === trigger) && <option value={trigger}>{trigger}</option>}
      {triggers.map((one) => (
        <option key={one.id} value={one.id}>
          {nameTrigger(one.type)}: {describeTrigger(one)}
        </option>
      ))}
    </Select>
  );
}
