import type { VariableDetail } from "./api";

/** The workflows that read a variable, before it is deleted. */
export function UsedBy({ uses }: { uses: VariableDetail["used_by"] }) {
  if (uses.length === 0) return <p className="text-ink-2">No workflow names it.</p>;
  return (
    <div role="group" aria-label="Workflows that read it" className="rounded-control bg-failed-soft px-3 py-2 text-failed">
      <p>{uses.length === 1 ? "This workflow reads it:" : "These workflows read it:"}</p>
      <ul className="list-inside list-disc">
        {uses.map((use) => (
          <li key={use.workflow_id} className="wrap-anywhere">
            {use.workflow_name}
          </li>
        ))}
      </ul>
    </div>
  );
}
