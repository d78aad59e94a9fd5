import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { RefObject } from "react";
import { Button } from "@/components/ui/button";
import { Search, Select } from "@/components/ui/field";
import { Lamp } from "@/components/ui/lamp";
import { workflowNamesQuery } from "@/features/workflows/api";
import { classNames } from "@/lib/class-names";
import { RUN_STATUSES, type RunStatus, STATUS_LOOKS } from "@/lib/status";
import { PERIODS, type Period, type RunFilters, TRIGGER_TYPES } from "./filters";

const ALL = "";

interface FilterBarProps {
  filters: RunFilters;
  searchField: RefObject<HTMLInputElement | null>;
}

/** The filters of the list. Each change is a change of the address. */
export function FilterBar({ filters, searchField }: FilterBarProps) {
  const navigate = useNavigate({ from: "/runs" });
  const change = (next: RunFilters) => void navigate({ search: next, replace: true });
  const { status = [] } = filters;
  const toggle = (one: RunStatus) => {
    const next = status.includes(one) ? status.filter((other) => other !== one) : [...status, one];
    change(without(filters, "status", next.length > 0 ? { status: next } : {}));
  };
  return (
    <div className="flex flex-wrap items-center gap-2 px-4 pb-3 md:px-6">
      <div role="group" aria-label="Status" className="flex flex-wrap gap-1">
        {RUN_STATUSES.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={status.includes(one)}
            onClick={() => toggle(one)}
            className={classNames(
              "inline-flex h-8 items-center gap-1.5 rounded-control border px-2",
              status.includes(one) ? "border-ink bg-surface font-semibold" : "border-line bg-surface text-ink-2 hover:bg-sunken",
            )}
          >
            <Lamp tone={STATUS_LOOKS[one].tone} size={12} />
            {STATUS_LOOKS[one].label}
          </button>
        ))}
      </div>
      <WorkflowSelect filters={filters} onChange={change} />
      <Select
        label="Trigger"
        value={filters.trigger ?? ALL}
        onChange={(event) => {
          const trigger = TRIGGER_TYPES.find((known) => known === event.target.value);
          change(without(filters, "trigger", trigger === undefined ? {} : { trigger }));
        }}
      >
        <option value={ALL}>Any trigger</option>
        {TRIGGER_TYPES.map((type) => (
          <option key={type} value={type}>
            {type}
          </option>
        ))}
      </Select>
      <Select
        label="Time"
        value={filters.period ?? ALL}
        onChange={(event) => {
          const period = (Object.keys(PERIODS) as Period[]).find((known) => known === event.target.value);
          change(without(filters, "period", period === undefined ? {} : { period }));
        }}
      >
        <option value={ALL}>Any time</option>
        {Object.entries(PERIODS).map(([key, label]) => (
          <option key={key} value={key}>
            {label}
          </option>
        ))}
      </Select>
      <Search
        field={searchField}
        label="Search id, workflow or error"
        className="max-w-80 min-w-48 flex-1"
        text={filters.q ?? ""}
        onText={(text) => {
          const q = text.trim();
          change(without(filters, "q", q === "" ? {} : { q }));
        }}
      />
      {Object.keys(filters).length > 0 && (
        <Button kind="quiet" icon="close" onClick={() => change({})}>
          Clear filters
        </Button>
      )}
    </div>
  );
}

function WorkflowSelect({ filters, onChange }: { filters: RunFilters; onChange: (next: RunFilters) => void }) {
  const workflows = useQuery(workflowNamesQuery).data?.items ?? [];
  const { workflow } = filters;
  return (
    <Select
      label="Workflow"
      className="w-44"
      value={workflow ?? ALL}
      onChange={(event) => onChange(without(filters, "workflow", event.target.value === ALL ? {} : { workflow: event.target.value }))}
    >
      <option value={ALL}>Any workflow</option>
      {workflow !== undefined && !workflows.some(({ id }) => id === workflow) && <option value={workflow}>{workflow}</option>}
      {workflows.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Select>
  );
}

function without(filters: RunFilters, name: keyof RunFilters, next: RunFilters): RunFilters {
  const { [name]: _, ...others } = filters;
  return { ...others, ...next };
}
