import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Select } from "@/components/ui/field";
import { Icon, type IconName } from "@/components/ui/icon";
import { ShowMore, Stale } from "@/components/ui/loaded";
import { LongText } from "@/components/ui/long-text";
import { Moment } from "@/components/ui/moment";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { useLive } from "@/lib/live";
import { usePeople } from "@/lib/people";
import { type Approval, approvalsQuery } from "./api";
import { type ApprovalFilters, DECIDED_STATUSES, type DecidedStatus } from "./filters";
import { Source } from "./open-approval";

const LOOKS = {
  approved: { label: "Approved", icon: "check" },
  rejected: { label: "Rejected", icon: "close" },
  timed_out: { label: "Timed out", icon: "pause" },
  cancelled: { label: "Cancelled with its run", icon: "close" },
} as const satisfies Record<DecidedStatus, { label: string; icon: IconName }>;

/** What became of approvals that are over, the newest first. */
export function DecidedList({ filters }: { filters: ApprovalFilters }) {
  const isPaused = useLive((state) => state.status === "paused");
  const navigate = useNavigate({ from: "/approvals" });
  const statuses = filters.status === undefined ? DECIDED_STATUSES : [filters.status];
  const query = useInfiniteQuery(approvalsQuery(statuses, filters.run, isPaused));
  const decided = query.data?.pages.flatMap((page) => page.items);
  const run = filters.run === undefined ? {} : { run: filters.run };
  const choose = (text: string) => {
    const status = DECIDED_STATUSES.find((known) => known === text);
    void navigate({ search: status === undefined ? run : { ...run, status }, replace: true });
  };
  return (
    <section aria-labelledby="decided-approvals" className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 id="decided-approvals" className="text-lg font-semibold">
          Over
        </h2>
        <Select label="How it ended" value={filters.status ?? ""} onChange={(event) => choose(event.target.value)}>
          <option value="">However it ended</option>
          {DECIDED_STATUSES.map((status) => (
            <option key={status} value={status}>
              {LOOKS[status].label}
            </option>
          ))}
        </Select>
      </div>
      {query.isError && decided === undefined && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      {decided !== undefined && !isPaused && <Stale query={query} />}
      {query.isPending && <LoadingRows />}
      {decided?.length === 0 && <p className="text-ink-2">None yet.</p>}
      {decided !== undefined && decided.length > 0 && (
        <ul aria-label="Approvals that are over" className="divide-y divide-line rounded-control border border-line bg-surface">
          {decided.map((approval) => (
            <Decided key={approval.id} approval={approval} />
          ))}
        </ul>
      )}
      <ShowMore key={`${statuses.join()} ${filters.run}`} query={query} of="that are over" />
    </section>
  );
}

function Decided({ approval }: { approval: Approval }) {
  const nameOf = usePeople();
  const status = DECIDED_STATUSES.find((known) => known === approval.status);
  return (
    <li className="grid gap-x-4 gap-y-2 p-4 md:grid-cols-2" data-approval={approval.id}>
      <div className="flex min-w-0 flex-col gap-1">
        <Source approval={approval} />
        <LongText text={approval.message} look="whitespace-pre-wrap" />
      </div>
      <div className="flex min-w-0 flex-col gap-1">
        <p className="flex flex-wrap items-center gap-x-2">
          {status !== undefined && <Icon name={LOOKS[status].icon} />}
          <span className="font-semibold">{status === undefined ? approval.status : LOOKS[status].label}</span>
          {approval.decided_by !== null && <span className="wrap-anywhere">by <bdi>{nameOf(approval.decided_by)}</bdi></span>}
          {approval.decided_at !== null && (
            <span className="text-ink-3">
              <Moment at={approval.decided_at} />
            </span>
          )}
        </p>
        {approval.comment !== null && approval.comment !== "" && (
          <blockquote className="border-l-2 border-line-strong pl-3 text-ink-2">
            <LongText text={approval.comment} look="whitespace-pre-wrap" />
          </blockquote>
        )}
      </div>
    </li>
  );
}
