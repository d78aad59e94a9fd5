import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, publicApi, unwrap } from "@/lib/api";
import { ApiProblem } from "@/lib/problem";

export type Operations = Schemas["Operations"];
export type Process = Schemas["ProcessView"];
export type Readiness = Schemas["Readiness"];

/** Processes tell their figures so often. */
const POLL_MS = 5_000;

/** The processes of the installation, and what waits for them. */
export const operationsQuery = queryOptions({
  queryKey: ["operations"],
  queryFn: ({ signal }) => unwrap(api.GET("/v1/operations", { signal })),
  // What a role may not see now, it may not see in five seconds either.
  refetchInterval: ({ state }) => (state.error instanceof ApiProblem && state.error.status === 403 ? false : POLL_MS),
});

/** What the API depends on. It needs no session, so that it also tells why there can be none. */
export const readinessQuery = queryOptions({
  queryKey: ["readiness"],
  queryFn: async ({ signal }): Promise<Readiness> => {
    const { data, error, response } = await publicApi.GET("/health/ready", { signal });
    const found = data ?? error;
    // 503 comes with the same body: it tells what is away.
    if (found !== undefined && "checks" in found) return found;
    throw new ApiProblem({}, response);
  },
  refetchInterval: POLL_MS,
});
