import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { publish } from "@/features/workflows/api";
import { type Schemas, api, authorizedFetch, unwrap } from "@/lib/api";
import { sliceJson } from "@/lib/json-text";
import { ApiProblem, isStale } from "@/lib/problem";
import { readProblem } from "@/lib/session";

export type Detail = Schemas["WorkflowDetail"];
export type Version = Schemas["VersionSummary"];
export type Problem = Schemas["Problem"];

/** A workflow, and its draft as it was written: what JavaScript makes of numbers and keys is not always the same. */
export interface Draft {
  detail: Detail;
  text: string;
}

export function workflowQuery(id: string) {
  return queryOptions({
    queryKey: ["workflow", id] as const,
    queryFn: ({ signal }) => readDraft(new Request(addressOf(`/v1/workflows/${id}`), { signal })),
  });
}

/** Save this text as the draft. Raises ApiProblem 412 where the draft is another one by now. */
export function saveDraft(id: string, revision: number, text: string): Promise<Draft> {
  return readDraft(
    new Request(addressOf(`/v1/workflows/${id}`), {
      method: "PATCH",
      headers: { "content-type": "application/json", "if-match": `"${revision}"` },
      body: `{"definition": ${text}}`,
    }),
  );
}

/** Make the draft that is seen the live version. Raises an error that says so where the draft is another one by now. */
export async function publishSeen({ detail: { id, revision }, text }: Draft) {
  try {
    return await publish(id, revision);
  } catch (error) {
    if (!isStale(error)) throw error;
    const now = await readDraft(new Request(addressOf(`/v1/workflows/${id}`)));
    // Its name or its switch was changed, and not its definition: what is published is still what was seen.
    if (now.text !== text) throw new Error("Somebody has saved another draft meanwhile, which is shown now. Look at it first.", { cause: error });
    return publish(id, now.detail.revision);
  }
}

/** Every fault of this text, as a definition of this workspace; nothing is saved. */
export async function validate(text: string, signal: AbortSignal): Promise<readonly Problem[]> {
  const response = await authorizedFetch(
    new Request(addressOf("/v1/workflows/validate"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: text,
      signal,
    }),
  );
  if (!response.ok) throw new ApiProblem(await readProblem(response), response);
  return ((await response.json()) as Schemas["Validation"]).errors;
}

async function readDraft(request: Request): Promise<Draft> {
  const response = await authorizedFetch(request);
  if (!response.ok) throw new ApiProblem(await readProblem(response), response);
  const text = await response.text();
  return { detail: JSON.parse(text) as Detail, text: sliceJson(text, "/definition") ?? "{}" };
}

function addressOf(path: string): URL {
  return new URL(path, location.origin);
}

export function versionsQuery(id: string) {
  return infiniteQueryOptions({
    queryKey: ["workflow", id, "versions"],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET("/v1/workflows/{workflow_id}/versions", {
          params: { path: { workflow_id: id }, query: { limit: 50, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
}

/** The definition of a version as it was published; it never changes. */
export function versionTextQuery(id: string, version: number) {
  return queryOptions({
    queryKey: ["version-text", id, version],
    queryFn: async ({ signal }) => {
      const response = await authorizedFetch(new Request(addressOf(`/v1/workflows/${id}/versions/${version}`), { signal }));
      if (!response.ok) throw new ApiProblem(await readProblem(response), response);
      return sliceJson(await response.text(), "/definition") ?? "{}";
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Make the definition of a version the draft. */
export function restore(id: string, version: number, revision: number) {
  return unwrap(
    api.POST("/v1/workflows/{workflow_id}/versions/{version}/restore", {
      params: { path: { workflow_id: id, version }, header: { "If-Match": `"${revision}"` } },
      body: {},
    }),
  );
}

/** Where the stream is away, runs are asked for so often. */
const POLL_MS = 5_000;

/** The last runs of the workflow; where the stream is away, they are asked for every few seconds. */
export function lastRunsQuery(id: string, isPolled: boolean) {
  return queryOptions({
    queryKey: ["workflow", id, "runs"],
    queryFn: ({ signal }) => unwrap(api.GET("/v1/runs", { params: { query: { workflow_id: id, limit: 50 } }, signal })),
    refetchInterval: isPolled ? POLL_MS : false,
  });
}
