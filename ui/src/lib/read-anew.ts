import type { QueryClient, QueryKey } from "@tanstack/react-query";

/**
 * Have what is kept under a key read anew, once what is on its way there has come. That may be the next page which somebody has asked
 * for: to break it off would be to take no notice of them.
 */
export async function readAnew(queryClient: QueryClient, queryKey: QueryKey): Promise<void> {
  const isOnItsWay = queryClient.isFetching({ queryKey }) > 0;
  await queryClient.invalidateQueries({ queryKey }, { cancelRefetch: false });
  if (isOnItsWay) await queryClient.invalidateQueries({ queryKey }, { cancelRefetch: false });
}
