import { api, unwrap } from "@/lib/api";
import { serverNow } from "@/lib/clock";
import { pagedQuery } from "@/lib/paged-query";
import { type InboundFilters, toQuery } from "./filters";

/** What became of the events that the filters let through, the newest first. */
export function receiptsQuery(filters: InboundFilters) {
  return pagedQuery({
    queryKey: receiptsKey(filters),
    read: (page, signal) => unwrap(api.GET("/v1/events", { params: { query: { ...toQuery(filters, serverNow()), ...page } }, signal })),
  });
}

/** Where the cache keeps them. */
export function receiptsKey(filters: InboundFilters) {
  return ["events", filters] as const;
}
