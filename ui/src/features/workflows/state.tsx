import type { Workflow } from "./api";

/** Whether a workflow is live, and by which version. Colour belongs to runs: here words do. */
export function WorkflowState({ workflow }: { workflow: Pick<Workflow, "enabled" | "published_version"> }) {
  const { enabled, published_version: version } = workflow;
  if (version === null) return <span className="text-ink-3">Draft</span>;
  return (
    <span className={enabled ? "" : "text-ink-3"}>
      {enabled ? "On" : "Off"} <span className="font-mono text-xs text-ink-3">v{version}</span>
    </span>
  );
}
