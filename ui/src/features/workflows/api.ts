import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { type Schemas, api, authorizedFetch, unwrap } from "@/lib/api";
import { downloadFile } from "@/lib/download";
import { addJson, sliceJson } from "@/lib/json-text";
import type { Once, OnceHeader } from "@/lib/once";
import { ApiProblem } from "@/lib/problem";
import { readProblem } from "@/lib/session";

export type Workflow = Schemas["WorkflowSummary"];
/** What the actions need to know of a workflow, from a list or from its page. */
export type Known = Pick<Workflow, "id" | "name" | "enabled" | "revision" | "published_version">;
/** A document of any shape here: the API says what is wrong with it. */
export type Definition = Readonly<Record<string, unknown>>;

/** What to read anew after something was done to a workflow: the lists, and the pages of single ones. */
export const WORKFLOWS = ["workflows"] as const;
export const WORKFLOW = ["workflow"] as const;
const PAGE = 50;
/** Where the stream is away, what is shown is asked for so often. */
const POLL_MS = 10_000;

/** Workflows whose name holds `q`, the newest first, each with how its last runs went. */
export function workflowsQuery(q: string | undefined, isPolled: boolean) {
  return infiniteQueryOptions({
    queryKey: [...WORKFLOWS, { q }],
    queryFn: ({ pageParam, signal }) =>
      unwrap(api.GET("/v1/workflows", { params: { query: { limit: PAGE, q: q ?? null, cursor: pageParam } }, signal })),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
    refetchInterval: isPolled ? POLL_MS : false,
  });
}

/** Workflows by name, to choose from: the newest 200. */
export const workflowNamesQuery = queryOptions({
  queryKey: [...WORKFLOWS, "names"],
  queryFn: ({ signal }) => unwrap(api.GET("/v1/workflows", { params: { query: { limit: 200 } }, signal })),
  staleTime: 60_000,
});

/** What one workflow is called that is not among them. */
export function workflowNameQuery(id: string) {
  return queryOptions({
    queryKey: [...WORKFLOWS, "name", id],
    queryFn: async ({ signal }) => (await unwrap(api.GET("/v1/workflows/{workflow_id}", { params: { path: { workflow_id: id } }, signal }))).name,
    staleTime: 60_000,
  });
}

const FEW = 8;

/** A few workflows whose name holds `q`, to go to; none where nothing is looked for. */
export function workflowsByNameQuery(q: string | undefined) {
  return queryOptions({
    queryKey: [...WORKFLOWS, "by-name", q],
    queryFn: ({ signal }) => unwrap(api.GET("/v1/workflows", { params: { query: { limit: FEW, q: q ?? null } }, signal })),
    enabled: q !== undefined,
    placeholderData: (before) => before,
    staleTime: 60_000,
  });
}

/** Let a workflow's triggers start runs, or stop that. Raises ApiProblem 412 where somebody changed it meanwhile. */
export function setEnabled({ id, revision }: Known, enabled: boolean) {
  return unwrap(
    api.PATCH("/v1/workflows/{workflow_id}", {
      params: { path: { workflow_id: id }, header: { "If-Match": `"${revision}"` } },
      body: { enabled },
    }),
  );
}

/** Make the draft the live version: the one of this revision, or else the one that is there. Raises ApiProblem 412 where it is another one by now. */
export function publish(id: string, revision?: number) {
  const header = revision === undefined ? {} : { "If-Match": `"${revision}"` };
  return unwrap(api.POST("/v1/workflows/{workflow_id}/publish", { params: { path: { workflow_id: id }, header }, body: {} }));
}

/** Start a run of the live version; the JSON of its input goes as it is written, with every digit. */
export function start(id: string, input: string, header: OnceHeader) {
  return unwrap(
    api.POST("/v1/workflows/{workflow_id}/runs", {
      params: { path: { workflow_id: id }, header },
      body: {},
      bodySerializer: () => addJson({}, "input", input),
    }),
  );
}

/** A draft of one's own with the same definition. Triggers stay with the original. */
export async function duplicate(id: string, once: Once) {
  const text = await unwrap(api.GET("/v1/workflows/{workflow_id}", { params: { path: { workflow_id: id } }, parseAs: "text" }));
  const { name, description } = JSON.parse(text) as Schemas["WorkflowDetail"];
  return create({ name: `${name} (copy)`.slice(-200), definition: sliceJson(text, "/definition") ?? "{}", description }, once);
}

/** What a new workflow begins with; the definition is JSON. */
interface Beginning {
  name: string;
  definition: string;
  description: string;
}

/** A new draft. The JSON of its definition goes as it is written: what JavaScript makes of numbers and keys is not always the same. */
export function create({ name, definition, description }: Beginning, once: Once) {
  const rest = { name, description, enabled: true };
  const body = addJson(rest, "definition", definition);
  return once.ask(body, (header) =>
    unwrap(api.POST("/v1/workflows", { params: { header }, body: { ...rest, definition: {} }, bodySerializer: () => body })),
  );
}

/** It is found no more; its runs stay. */
export function remove({ id, revision }: Known) {
  return unwrap(
    api.DELETE("/v1/workflows/{workflow_id}", {
      params: { path: { workflow_id: id }, header: { "If-Match": `"${revision}"` } },
    }),
  );
}

/** Take a workflow file; YAML and JSON are told apart by the file's name. */
export async function importFile(file: File, once: Once): Promise<Schemas["ImportResult"]> {
  const type = file.name.toLowerCase().endsWith(".json") ? "application/json" : "application/yaml";
  const body = await file.text();
  return once.ask(`${type} ${body}`, async (header) => {
    // The body is the file itself, for which the generated client has no type.
    const headers = { "content-type": type, ...header };
    const response = await authorizedFetch(new Request(new URL("/v1/workflows/import", location.origin), { method: "POST", headers, body }));
    if (!response.ok) throw new ApiProblem(await readProblem(response), response);
    return (await response.json()) as Schemas["ImportResult"];
  });
}

/** Save a workflow and its triggers as a file; secrets are left out. */
export function exportFile(id: string, format: "yaml" | "json"): Promise<void> {
  return downloadFile(`/v1/workflows/${id}/export?format=${format}`, `workflow.${format}`);
}
