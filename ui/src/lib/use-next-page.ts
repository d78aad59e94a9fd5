import { useCallback, useState } from "react";

interface Paged {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  isFetchNextPageError: boolean;
  fetchNextPage: () => Promise<{ isFetchNextPageError: boolean; error: unknown }>;
}

export interface NextPage {
  /** Asks for it by itself, as somebody goes down; undefined where there is none, or where it has failed. */
  more: (() => void) | undefined;
  /** Why it did not come, until it does. */
  failure: { error: unknown; isBusy: boolean; onRetry: () => void } | undefined;
}

/**
 * The next page of a list of what `filters` let through: read by itself, and once it has failed, only when a person says so. The rest
 * of the list is read anew again and again, which is no reason to ask for it once more.
 */
export function useNextPage(query: Paged, filters: object): NextPage {
  const [failed, setFailed] = useState<{ filters: object; error: unknown }>();
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = query;
  const ask = useCallback(async () => {
    if (isFetchingNextPage) return;
    const { isFetchNextPageError: isFailed, error } = await fetchNextPage();
    setFailed(isFailed ? { filters, error } : undefined);
  }, [fetchNextPage, filters, isFetchingNextPage]);
  const more = useCallback(() => void ask(), [ask]);
  const isFailed = failed?.filters === filters;
  return {
    more: hasNextPage && !isFailed && !isFetchNextPageError ? more : undefined,
    failure: hasNextPage && isFailed ? { error: failed.error, isBusy: isFetchingNextPage, onRetry: more } : undefined,
  };
}
