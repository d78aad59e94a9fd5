import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useRef } from "react";
import { Button } from "@/components/ui/button";
import { MoreFailed, Stale } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { RunList } from "@/features/runs/run-list";
import { useLive } from "@/lib/live";
import { useShortcuts } from "@/lib/shortcuts";
import { useNextPage } from "@/lib/use-next-page";
import { useSettledFilters } from "@/lib/use-settled";
import { runsQuery } from "./api";
import { BulkBar } from "./bulk-bar";
import { useCounts } from "./counts";
import { FilterBar } from "./filter-bar";
import { readRunFilters } from "./filters";
import { tellNews } from "./news";
import { useTicks } from "./ticks";
import { useLiveRuns } from "./use-live-runs";

/** All runs of the workspace, as they happen. */
export function RunsPage() {
  const search = useSearch({ from: "/signed-in/runs" });
  // The router hands on what it does not know as well.
  const written = useMemo(() => readRunFilters(search), [search]);
  const filters = useSettledFilters(written);
  // Where the whole connection is away, the strip at the top says so.
  const isPaused = useLive((state) => state.status === "paused");
  const query = useInfiniteQuery(runsQuery(filters));
  const { news, show } = useLiveRuns(filters);
  const counted = useCounts(filters);
  const searchField = useRef<HTMLInputElement>(null);
  useShortcuts([{ key: "/", label: "Search runs", run: () => searchField.current?.focus() }]);
  const runs = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  const { ticked, onTick, clear } = useTicks(filters, runs);
  const { more, failure } = useNextPage(query, filters);
  return (
    <>
      <PageHeader title="Runs" />
      <FilterBar filters={written} counted={counted} searchField={searchField} />
      <BulkBar filters={filters} ticked={ticked} onClear={clear} />
      <div role="status" className="sticky top-14 z-10 flex h-0 justify-center">
        {news > 0 && (
          <Button kind="primary" className="shadow-floating" onClick={show}>
            {tellNews(news, filters)}
          </Button>
        )}
      </div>
      <div className="md:px-6">
        {query.isError && runs === undefined && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {runs !== undefined && !isPaused && <Stale query={query} />}
        {query.isPending && <LoadingRows rows={10} />}
        {runs !== undefined && runs.length > 0 && <RunList runs={runs} selection={{ ticked, onTick }} onMore={more} />}
        <MoreFailed failure={failure} />
        {runs?.length === 0 && <NoRuns isFiltered={Object.keys(filters).length > 0} />}
      </div>
    </>
  );
}

function NoRuns({ isFiltered }: { isFiltered: boolean }) {
  const navigate = useNavigate();
  return isFiltered ? (
    <EmptyState
      icon="search"
      title="No runs match"
      action={<Button onClick={() => void navigate({ to: "/runs", search: {}, replace: true })}>Clear filters</Button>}
    />
  ) : (
    <EmptyState
      icon="runs"
      title="No runs yet"
      action={<Button onClick={() => void navigate({ to: "/workflows" })}>To the workflows</Button>}
    >
      A run appears here as soon as a workflow starts.
    </EmptyState>
  );
}
