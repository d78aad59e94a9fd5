import { infiniteQueryOptions } from "@tanstack/react-query";
import { type Schemas, api, authorizedFetch, unwrap } from "@/lib/api";
import { ApiProblem } from "@/lib/problem";
import { readProblem } from "@/lib/session";

export type Workflow = Schemas["WorkflowSummary"];
/** A document of any shape here: the API says what is wrong with it. */
export type Definition = Readonly<Record<string, unknown>>;

export const WORKFLOWS = ["workflows"] as const;
const PAGE = 50;

/** Workflows whose name holds `q`, the newest first. */
export function workflowsQuery(q: string | undefined) {
  return infiniteQueryOptions({
    queryKey: [...WORKFLOWS, { q }],
    queryFn: ({ pageParam, signal }) =>
      unwrap(api.GET("/v1/workflows", { params: { query: { limit: PAGE, q: q ?? null, cursor: pageParam } }, signal })),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
  });
}

/** Let a workflow's triggers start runs, or stop that. Raises ApiProblem 412 where somebody changed it meanwhile. */
export function setEnabled({ id, revision }: Workflow, enabled: boolean) {
  return unwrap(
    api.PATCH("/v1/workflows/{workflow_id}", {
      params: { path: { workflow_id: id }, header: { "If-Match": `"${revision}"` } },
      body: { enabled },
    }),
  );
}

/** Make the draft that is there the live version. */
export function publish(id: string) {
  return unwrap(api.POST("/v1/workflows/{workflow_id}/publish", { params: { path: { workflow_id: id } }, body: {} }));
}

/** Start a run of the live version. */
export function start(id: string) {
  return unwrap(api.POST("/v1/workflows/{workflow_id}/runs", { params: { path: { workflow_id: id } }, body: {} }));
}

/** A draft of one's own with the same definition. Triggers stay with the original. */
export async function duplicate(id: string) {
  const original = await unwrap(api.GET("/v1/workflows/{workflow_id}", { params: { path: { workflow_id: id } } }));
  return create(`${original.name} (copy)`.slice(-200), original.definition, original.description);
}

/** A new draft. */
export function create(name: string, definition: Definition, description: string) {
  return unwrap(api.POST("/v1/workflows", { body: { name, definition: definition as Schemas["NewWorkflow"]["definition"], description, enabled: true } }));
}

/** It is found no more; its runs stay. */
export function remove({ id, revision }: Workflow) {
  return unwrap(
    api.DELETE("/v1/workflows/{workflow_id}", {
      params: { path: { workflow_id: id }, header: { "If-Match": `"${revision}"` } },
    }),
  );
}

/** Take a workflow file; YAML and JSON are told apart by the file's name. */
export async function importFile(file: File): Promise<Schemas["ImportResult"]> {
  const isJson = file.name.toLowerCase().endsWith(".json");
  // The body is the file itself, for which the generated client has no type.
  const response = await authorizedFetch(
    new Request(new URL("/v1/workflows/import", location.origin), {
      method: "POST",
      headers: { "content-type": isJson ? "application/json" : "application/yaml" },
      body: await file.text(),
    }),
  );
  if (!response.ok) throw new ApiProblem(await readProblem(response), response);
  return (await response.json()) as Schemas["ImportResult"];
}

/** Save a workflow and its triggers as a file; secrets are left out. */
export async function exportFile(workflow: Workflow): Promise<void> {
  const url = new URL(`/v1/workflows/${workflow.id}/export?format=yaml`, location.origin);
  const response = await authorizedFetch(new Request(url));
  if (!response.ok) throw new ApiProblem(await readProblem(response), response);
  const named = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") ?? "")?.[1];
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = named ?? "workflow.yaml";
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
