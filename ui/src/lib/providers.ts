import { queryOptions } from "@tanstack/react-query";
import { publicApi, unwrap } from "./api";

/** Who else knows who one is, as the sign-in offers it; none where no provider is set up. */
export const providersQuery = queryOptions({
  queryKey: ["providers"],
  queryFn: ({ signal }) => unwrap(publicApi.GET("/v1/auth/providers", { signal })),
  staleTime: 60_000,
  select: ({ items }) => items,
});
