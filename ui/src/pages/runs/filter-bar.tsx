import { useNavigate } from "@tanstack/react-router";
import type { RefObject } from "react";
import { Button } from "@/components/ui/button";
import { Search, Select } from "@/components/ui/field";
import { ToneToggles } from "@/components/ui/tone-toggles";
import { WorkflowSelect } from "@/features/workflows/workflow-select";
import { useZone } from "@/lib/preferences";
import { RUN_STATUSES, STATUS_LOOKS } from "@/lib/status";
import { nameTrigger } from "@/lib/trigger-words";
import { type Counted, explainCounts, sayCount } from "./counts";
import { type RunFilters, TRIGGER_TYPES, readRunFilters } from "./filters";
import { TimeFilter } from "./time-filter";

const ANY = "";

interface FilterBarProps {
  filters: RunFilters;
  /** How many runs each status has under the other filters; undefined while that is not known. */
  counted: Counted | undefined;
  searchField: RefObject<HTMLInputElement | null>;
}

/** The filters of the list. Each change is a change of the address. */
export function FilterBar({ filters, counted, searchField }: FilterBarProps) {
  const navigate = useNavigate({ from: "/runs" });
  const zone = useZone();
  const change = (next: Record<string, unknown>) => void navigate({ search: readRunFilters({ ...filters, ...next }), replace: true });
  return (
    <div className="flex flex-wrap items-center gap-2 px-4 pb-3 md:px-6">
      <ToneToggles
        label="Status"
        names={RUN_STATUSES}
        looks={STATUS_LOOKS}
        chosen={filters.status ?? []}
        onChange={(status) => change({ status })}
        counts={counted && { say: (status) => sayCount(counted, status), explanation: explainCounts(counted, zone) }}
      />
      <WorkflowSelect workflow={filters.workflow} onChange={(workflow) => change({ workflow })} />
      <Select label="Trigger" value={filters.trigger ?? ANY} onChange={(event) => change({ trigger: event.target.value })}>
        <option value={ANY}>Any trigger</option>
        {TRIGGER_TYPES.map((type) => (
          <option key={type} value={type}>
            {nameTrigger(type)}
          </option>
        ))}
      </Select>
      <TimeFilter filters={filters} onChange={change} />
      <Search
        field={searchField}
        label="Search id, workflow or error"
        className="max-w-80 min-w-48 flex-1"
        text={filters.q ?? ""}
        onText={(text) => change({ q: text.trim() })}
      />
      {Object.keys(filters).length > 0 && (
        <Button kind="quiet" icon="close" onClick={() => void navigate({ search: {}, replace: true })}>
          Clear filters
        </Button>
      )}
    </div>
  );
}
