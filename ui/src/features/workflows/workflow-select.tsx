import { useQuery } from "@tanstack/react-query";
import { Select } from "@/components/ui/field";
import { workflowNamesQuery } from "./api";

const ANY = "";

interface WorkflowSelectProps {
  workflow: string | undefined;
  /** Undefined: of any workflow. */
  onChange: (workflow: string | undefined) => void;
}

/** The workflow by which a list is filtered. */
export function WorkflowSelect({ workflow, onChange }: WorkflowSelectProps) {
  const workflows = useQuery(workflowNamesQuery).data?.items ?? [];
  return (
    <Select
      label="Workflow"
      className="w-44"
      value={workflow ?? ANY}
      onChange={(event) => onChange(event.target.value === ANY ? undefined : event.target.value)}
    >
      <option value={ANY}>Any workflow</option>
      {workflow !== undefined && !workflows.some(({ id }) => id === workflow) && <option value={workflow}>{workflow}</option>}
      {workflows.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Select>
  );
}
