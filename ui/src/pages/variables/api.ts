import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";

export type Variable = Schemas["VariableView"];

export const VARIABLES = ["variables"] as const;

/** All of them, by name: there are never so many that they come in pages. */
export const variablesQuery = queryOptions({
  queryKey: VARIABLES,
  queryFn: ({ signal }) => unwrap(api.GET("/v1/vars", { signal })),
});

/** Give a variable a value; it is made where there is none of this name. */
export function put(name: string, value: unknown): Promise<Variable> {
  return unwrap(api.PUT("/v1/vars/{name}", { params: { path: { name } }, body: { value } }));
}

/** Delete one. */
export function remove(name: string) {
  return unwrap(api.DELETE("/v1/vars/{name}", { params: { path: { name } } }));
}
