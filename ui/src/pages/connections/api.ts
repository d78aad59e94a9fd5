import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";
import type { OnceHeader } from "@/lib/once";

export type Connection = Schemas["ConnectionSummary"];
export type ConnectionDetail = Schemas["ConnectionDetail"];
export type Use = Schemas["ConnectionUse"];
export type TestResult = Schemas["ConnectionTestResult"];

export const CONNECTIONS = ["connections"] as const;
const PAGE = 50;

export const connectionsQuery = infiniteQueryOptions({
  queryKey: [...CONNECTIONS, "list"],
  queryFn: ({ pageParam, signal }) =>
    unwrap(api.GET("/v1/connections", { params: { query: { limit: PAGE, cursor: pageParam, count_uses: true } }, signal })),
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next_cursor,
});

/** One of them, with the workflows that name it. */
export function connectionQuery(id: string) {
  return queryOptions({
    queryKey: [...CONNECTIONS, "one", id],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/v1/connections/{connection_id}", { params: { path: { connection_id: id } }, signal })),
  });
}

/** What a form gives; without a secret, the one that is there stays. */
export interface Draft {
  name: string;
  type: string;
  allowed_hosts: string[];
  secret?: Record<string, unknown>;
}

/** Make a connection. */
export function create(draft: Draft, header: OnceHeader): Promise<ConnectionDetail> {
  return unwrap(api.POST("/v1/connections", { params: { header }, body: draft as unknown as Schemas["NewConnection"] }));
}

/** Change one as it was read. Raises ApiProblem 412 where somebody has changed it since, 409 where another name would break workflows. */
export function change({ id, revision }: ConnectionDetail, draft: Draft, isForced: boolean): Promise<ConnectionDetail> {
  return unwrap(
    api.PATCH("/v1/connections/{connection_id}", {
      params: { path: { connection_id: id }, query: { force: isForced }, header: { "If-Match": `"${revision}"` } },
      body: draft as unknown as Schemas["ConnectionChange"],
    }),
  );
}

/** Delete one with its secret; `isForced`: also where workflows name it. */
export function remove({ id }: ConnectionDetail, isForced: boolean) {
  return unwrap(
    api.DELETE("/v1/connections/{connection_id}", { params: { path: { connection_id: id }, query: { force: isForced } } }),
  );
}

/** A real call with its credentials. */
export function test(id: string, url: string): Promise<TestResult> {
  return unwrap(
    api.POST("/v1/connections/{connection_id}/test", {
      params: { path: { connection_id: id } },
      body: { url: url === "" ? null : url },
    }),
  );
}
