import { queryOptions } from "@tanstack/react-query";
import { api, unwrap } from "./api";

/** The workspaces of the one who is signed in. */
export const workspacesQuery = queryOptions({
  queryKey: ["workspaces"],
  queryFn: ({ signal }) => unwrap(api.GET("/v1/workspaces", { signal })),
});
