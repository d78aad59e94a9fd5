import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, unwrap } from "@/lib/api";
import { serverNow } from "@/lib/clock";
import { type InboundFilters, toQuery } from "./filters";

/** The newest rows are read again and again; whoever goes further down comes along faster. */
const FIRST_PAGE = 50;
const NEXT_PAGE = 200;

/** What became of the events that the filters let through, the newest first. */
export function receiptsQuery(filters: InboundFilters) {
  return infiniteQueryOptions({
    queryKey: receiptsKey(filters),
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET("/v1/events", {
          params: { query: { ...toQuery(filters, serverNow()), limit: pageParam === null ? FIRST_PAGE : NEXT_PAGE, cursor: pageParam } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
    // All pages would be read anew, and rows would move under the eyes of whoever comes back to the window.
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}

/** Where the cache keeps them. */
export function receiptsKey(filters: InboundFilters) {
  return ["events", filters] as const;
}
