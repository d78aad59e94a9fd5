import type { Query, QueryClient, QueryKey } from "@tanstack/react-query";

/**
 * Have what is kept under a key read anew.
 *
 * What somebody waits for comes first, and is read anew after that: to break off the next page that they have asked for would be to take
 * no notice of them. All else that is on its way begins anew at once, since it may be older than what was told, or may never come.
 */
export async function readAnew(queryClient: QueryClient, queryKey: QueryKey): Promise<void> {
  const awaited = new Set(queryClient.getQueryCache().findAll({ queryKey, predicate: isAwaited }));
  const join = () => queryClient.invalidateQueries({ queryKey, predicate: (query) => awaited.has(query) }, { cancelRefetch: false });
  const others = queryClient.invalidateQueries({ queryKey, predicate: (query) => !awaited.has(query) });
  // Whoever reads anew again and again is not held up by it.
  void join().then(join);
  await others;
}

/** Whether somebody waits for what is on its way: all of it, or the next page. */
function isAwaited({ state }: Query): boolean {
  return state.fetchStatus === "fetching" && (state.data === undefined || state.fetchMeta?.fetchMore !== undefined);
}
