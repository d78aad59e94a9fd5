import { useCallback, useState } from "react";

/** As much of a list that is read in pages as this has to know. */
export interface Paged {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  isFetchNextPageError: boolean;
  error: unknown;
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
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, error, fetchNextPage } = query;
  const ask = useCallback(async () => {
    if (isFetchingNextPage) return;
    const asked = await fetchNextPage();
    setFailed(asked.isFetchNextPageError ? { filters, error: asked.error } : undefined);
  }, [fetchNextPage, filters, isFetchingNextPage]);
  const more = useCallback(() => void ask(), [ask]);
  // What somebody has come back to may have failed before they left.
  const why = failed?.filters === filters ? failed : isFetchNextPageError ? { error } : undefined;
  return {
    more: hasNextPage && why === undefined ? more : undefined,
    failure: hasNextPage && why !== undefined ? { error: why.error, isBusy: isFetchingNextPage, onRetry: more } : undefined,
  };
}
