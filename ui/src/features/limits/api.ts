import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";

export type Limits = Schemas["Limits"];

/** What this installation holds everybody to. */
export const limitsQuery = queryOptions({
  queryKey: ["limits"],
  queryFn: ({ signal }) => unwrap(api.GET("/v1/limits", { signal })),
  // They do not change while the API lives.
  staleTime: 60_000,
});
