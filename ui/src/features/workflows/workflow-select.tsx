import { useQuery } from "@tanstack/react-query";
import { Select } from "@/components/ui/field";
import { isGone } from "@/components/ui/states";
import { shortenId } from "@/lib/id";
import { workflowNameQuery, workflowNamesQuery } from "./api";

const ANY = "";

interface WorkflowSelectProps {
  workflow: string | undefined;
  /** Undefined: of any workflow. */
  onChange: (workflow: string | undefined) => void;
}

/** The workflow by which a list is filtered. */
export function WorkflowSelect({ workflow, onChange }: WorkflowSelectProps) {
  const names = useQuery(workflowNamesQuery).data?.items;
  const isOther = workflow !== undefined && names?.some(({ id }) => id === workflow) !== true;
  const other = useQuery({ ...workflowNameQuery(workflow ?? ""), enabled: names !== undefined && isOther });
  return (
    <Select
      label="Workflow"
      className="w-44"
      value={workflow ?? ANY}
      onChange={(event) => onChange(event.target.value === ANY ? undefined : event.target.value)}
    >
      <option value={ANY}>Any workflow</option>
      {isOther && <option value={workflow}>{other.data ?? (other.isError ? nameOfFailed(workflow, other.error) : "…")}</option>}
      {names?.map(({ id, name }) => (
        <option key={id} value={id}>
          {name}
        </option>
      ))}
    </Select>
  );
}

/** That nobody answered, say, does not tell that it is gone. */
function nameOfFailed(id: string, error: unknown): string {
  return isGone(error) ? "A workflow that is gone" : shortenId(id);
}
