import { queryOptions, useQuery } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "./api";

export type Permission = Schemas["Permission"];

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: ({ signal }) => unwrap(api.GET("/v1/auth/me", { signal })),
  staleTime: 60_000,
});

/** Whether the one who is signed in holds a permission here; false until that is known. */
export function usePermission(permission: Permission): boolean {
  return useQuery(meQuery).data?.permissions.includes(permission) ?? false;
}
