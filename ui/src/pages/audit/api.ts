import { infiniteQueryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap, unwrapExact } from "@/lib/api";
import { serverNow } from "@/lib/clock";
import { downloadFile } from "@/lib/download";
import { type AuditFilters, toQuery } from "./filters";

export type AuditEntry = Schemas["AuditEntry"];
export type Verification = Schemas["Verification"];

const PAGE = 100;

/** The entries that fit in everything that is asked for, the newest first. */
export function auditQuery(filters: AuditFilters) {
  return infiniteQueryOptions({
    queryKey: ["audit", filters],
    queryFn: ({ pageParam, signal }) =>
      unwrapExact<Schemas["Page_AuditEntry_"]>(
        api.GET("/v1/audit", {
          params: { query: { ...toQuery(filters, serverNow()), limit: PAGE, cursor: pageParam } },
          parseAs: "text",
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
  });
}

/** Compute the chain of hashes anew; it reads the whole log. */
export function verify(): Promise<Verification> {
  return unwrap(api.GET("/v1/audit/verify"));
}

/** Save the entries that fit as a file of lines of JSON, the oldest first. */
export function exportEntries(filters: AuditFilters): Promise<void> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(toQuery(filters, serverNow()))) {
    if (value !== null) query.set(name, value);
  }
  return downloadFile(`/v1/audit/export?${query}`, "audit.ndjson");
}
