import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { Button } from "@/components/ui/button";
import { MoreFailed, Stale } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { useLive } from "@/lib/live";
import { useNextPage } from "@/lib/use-next-page";
import { receiptsQuery } from "./api";
import { FilterBar } from "./filter-bar";
import { readInboundFilters } from "./filters";
import { InboundList } from "./inbound-list";
import { useFreshList } from "./use-fresh-list";

/** What became of everything that triggers received. */
export function InboundEventsPage() {
  const search = useSearch({ from: "/signed-in/events" });
  // The router hands on what it does not know as well.
  const filters = useMemo(() => readInboundFilters(search), [search]);
  // Where the whole connection is away, the strip at the top says so.
  const isPaused = useLive((state) => state.status === "paused");
  const query = useInfiniteQuery(receiptsQuery(filters));
  useFreshList(filters);
  const receipts = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  const { more, failure } = useNextPage(query, filters);
  return (
    <>
      <PageHeader title="Inbound events" />
      <FilterBar filters={filters} />
      <div className="md:px-6">
        {query.isError && receipts === undefined && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {receipts !== undefined && !isPaused && <Stale query={query} />}
        {query.isPending && <LoadingRows rows={10} />}
        {receipts !== undefined && receipts.length > 0 && <InboundList receipts={receipts} onMore={more} />}
        <MoreFailed failure={failure} />
        {receipts?.length === 0 && <NoReceipts isFiltered={Object.keys(filters).length > 0} />}
        {filters.outcome?.includes("rejected") === true && (
          <p className="px-4 py-2 text-xs text-ink-3 md:px-0">Of refused calls a sample is kept; the dashboard counts them all.</p>
        )}
      </div>
    </>
  );
}

function NoReceipts({ isFiltered }: { isFiltered: boolean }) {
  const navigate = useNavigate();
  return isFiltered ? (
    <EmptyState
      icon="search"
      title="No events match"
      action={<Button onClick={() => void navigate({ to: "/events", search: {}, replace: true })}>Clear filters</Button>}
    />
  ) : (
    <EmptyState
      icon="events"
      title="No events yet"
      action={<Button onClick={() => void navigate({ to: "/workflows" })}>To the workflows</Button>}
    >
      What a trigger receives appears here, with what became of it.
    </EmptyState>
  );
}
