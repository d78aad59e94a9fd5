import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { ShowMore, Stale } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { Allowed } from "@/features/permissions/allowed";
import { useLive } from "@/lib/live";
import { usePermission } from "@/lib/me";
import { type Approval, type Decision, approvalsQuery } from "./api";
import { DecidedList } from "./decided-list";
import { DecisionDialog } from "./decision-dialog";
import { readApprovalFilters } from "./filters";
import { OpenApproval } from "./open-approval";
import { useLiveApprovals } from "./use-live-approvals";

const HEADING = "open-approvals";

/** What runs ask people for: what is open first, then what was decided, by whom. */
export function ApprovalsPage() {
  const search = useSearch({ from: "/signed-in/approvals" });
  // The router hands on what it does not know as well.
  const filters = useMemo(() => readApprovalFilters(search), [search]);
  const mayDecide = usePermission("approvals:decide");
  return (
    <>
      <PageHeader title="Approvals">
        {filters.run !== undefined && (
          <Link to="/approvals" className="underline">
            Show those of all runs
          </Link>
        )}
      </PageHeader>
      <div className="flex flex-col gap-8 px-4 md:px-6">
        <OpenApprovals run={filters.run} mayDecide={mayDecide} />
        <DecidedList filters={filters} />
      </div>
    </>
  );
}

function OpenApprovals({ run, mayDecide }: { run: string | undefined; mayDecide: boolean }) {
  const isPaused = useLive((state) => state.status === "paused");
  const query = useInfiniteQuery(approvalsQuery(["pending"], run, isPaused));
  const open = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data]);
  useLiveApprovals(useMemo(() => new Set(open?.map((approval) => approval.run_id)), [open]));
  const [deciding, setDeciding] = useState<{ approval: Approval; decision: Decision }>();
  const heading = useRef<HTMLHeadingElement>(null);
  const hasDecided = useRef(false);
  useEffect(() => {
    // The one that was decided has gone, and the focus with it: whoever uses a keyboard goes on here.
    if (hasDecided.current && document.activeElement === document.body) heading.current?.focus({ preventScroll: true });
  }, [open]);
  return (
    <section aria-labelledby={HEADING} className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 id={HEADING} ref={heading} tabIndex={-1} className="text-lg font-semibold">
          Open{open === undefined ? "" : ` (${open.length}${query.hasNextPage ? "+" : ""})`}
        </h2>
        {open !== undefined && open.length > 0 && <Allowed to="approvals:decide" why="It takes an operator to decide." />}
      </div>
      {query.isError && open === undefined && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      {open !== undefined && !isPaused && <Stale query={query} />}
      {query.isPending && <LoadingRows rows={4} />}
      {open?.length === 0 && (
        <EmptyState icon="approvals" title="Nobody is waiting for a decision">
          A run that comes to an approval step asks here, at once.
        </EmptyState>
      )}
      {open !== undefined && open.length > 0 && (
        <ul aria-label="Open approvals" className="grid gap-3 lg:grid-cols-2">
          {open.map((approval) => (
            <OpenApproval
              key={approval.id}
              approval={approval}
              mayDecide={mayDecide}
              onDecide={(decision) => {
                hasDecided.current = true;
                setDeciding({ approval, decision });
              }}
            />
          ))}
        </ul>
      )}
      <ShowMore key={run} query={query} of="open ones" />
      {/* Not in the list: what is written here stays while others decide. */}
      {deciding !== undefined && <DecisionDialog {...deciding} returnTo={HEADING} onClose={() => setDeciding(undefined)} />}
    </section>
  );
}
