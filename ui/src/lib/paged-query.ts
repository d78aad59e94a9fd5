import { type QueryKey, infiniteQueryOptions } from "@tanstack/react-query";

/**
 * So many rows at first: the newest are read again and again. A table asks for more before its end is seen, which on the highest screens
 * must not be at once.
 */
const FIRST_PAGE = 100;
/** Whoever goes further down comes along faster; the most that the API gives at once. */
const NEXT_PAGE = 200;

/** Which page is asked for. */
export interface PageAsked {
  limit: number;
  cursor: string | null;
}

interface Paged<Page> {
  /** Where the cache keeps it. */
  queryKey: QueryKey;
  read: (asked: PageAsked, signal: AbortSignal) => Promise<Page>;
}

/** A list that is read as far as somebody goes down, whose first page something else keeps fresh (`keepFresh`). */
export function pagedQuery<Page extends { next_cursor: string | null }>({ queryKey, read }: Paged<Page>) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam, signal }) => read({ limit: pageParam === null ? FIRST_PAGE : NEXT_PAGE, cursor: pageParam }, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
    // All pages would be read anew, and rows would move under the eyes of whoever comes back to the window.
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}
