import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";

export type Limits = Schemas["Limits"];

const AGAIN_MS = 5_000;

/** What this installation holds everybody to. */
export const limitsQuery = queryOptions({
  queryKey: ["limits"],
  queryFn: ({ signal }) => unwrap(api.GET("/v1/limits", { signal })),
  staleTime: 60_000,
  // They do not change while the API lives: only what could not be read is asked for again.
  refetchInterval: ({ state }) => (state.status === "error" ? AGAIN_MS : false),
});
