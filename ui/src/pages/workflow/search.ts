export const TABS = ["graph", "definition", "versions", "triggers", "runs"] as const;
export type Tab = (typeof TABS)[number];

/** What of a workflow is looked at; it lives in the address of the page. */
export interface WorkflowSearch {
  tab?: Tab;
  step?: string;
}

/** What an address says; whatever is none is left out. */
export function readWorkflowSearch(search: Record<string, unknown>): WorkflowSearch {
  const tab = TABS.find((known) => known === search["tab"]);
  const step = search["step"];
  return {
    ...(tab === undefined || tab === "graph" ? {} : { tab }),
    ...(typeof step === "string" && step !== "" && tab === undefined ? { step } : {}),
  };
}
