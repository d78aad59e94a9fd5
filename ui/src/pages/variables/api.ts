import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap, unwrapExact } from "@/lib/api";
import { addJson } from "@/lib/json-text";

export type Variable = Schemas["VariableView"];
export type VariableDetail = Schemas["VariableDetail"];

export const VARIABLES = ["variables"] as const;

/** All of them, by name: there are never so many that they come in pages. */
export const variablesQuery = queryOptions({
  queryKey: VARIABLES,
  queryFn: ({ signal }) => unwrapExact<Schemas["VariableList"]>(api.GET("/v1/vars", { parseAs: "text", signal })),
});

/** One of them as it is now, with the workflows that read it, and what stands for how it is. */
export function variableQuery(name: string) {
  return queryOptions({
    queryKey: [...VARIABLES, "one", name],
    queryFn: async ({ signal }) => {
      const call = await api.GET("/v1/vars/{name}", { params: { path: { name } }, parseAs: "text", signal });
      const variable = await unwrapExact<VariableDetail>(Promise.resolve(call));
      return { variable, etag: call.response.headers.get("etag") };
    },
    // Whoever changes or deletes it sees what they change, and not what it was.
    staleTime: 0,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}

/**
 * Make a variable, or give one that is there another value, whose JSON goes as it is written. Raises ApiProblem 412 where it is not as
 * `etag` says any more.
 */
export function put(name: string, json: string, etag: string | null): Promise<Variable> {
  return unwrap(
    api.PUT("/v1/vars/{name}", {
      params: { path: { name }, header: { "If-Match": etag } },
      body: { value: null },
      bodySerializer: () => addJson({}, "value", json),
    }),
  );
}

/** Delete one. Raises ApiProblem 412 where it is not as `etag` says any more. */
export function remove(name: string, etag: string | null) {
  return unwrap(api.DELETE("/v1/vars/{name}", { params: { path: { name }, header: { "If-Match": etag } } }));
}
