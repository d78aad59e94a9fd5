import { useInfiniteQuery } from "@tanstack/react-query";
import { ShowMore } from "@/components/ui/loaded";
import { LongText } from "@/components/ui/long-text";
import { Moment } from "@/components/ui/moment";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { writeExact } from "@/lib/exact-json";
import { eventsQuery } from "./api";

/** The run's journal: every change with its time and what it says. */
export function EventsList({ runId }: { runId: string }) {
  const query = useInfiniteQuery(eventsQuery(runId));
  const events = query.data?.pages.flatMap((page) => page.items);
  if (query.isPending) return <LoadingRows />;
  if (events === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  if (events.length === 0) return <EmptyState icon="runs" title="No events yet" />;
  return (
    <>
      <ol aria-label="Events" className="divide-y divide-line">
        {events.map(({ seq, type, at, data }) => (
          <li key={seq} className="grid grid-cols-[3rem_minmax(0,1fr)] min-h-(--row) content-center gap-x-3 py-row md:grid-cols-[3rem_11rem_10rem_minmax(0,1fr)]">
            <span className="text-right font-mono text-ink-3">{seq}</span>
            <span className="font-mono">{type}</span>
            <span className="col-start-2 text-ink-2 md:col-start-auto">
              <Moment at={at} />
            </span>
            <div className="col-start-2 min-w-0 md:col-start-auto">
              <LongText text={writeExact(data)} lines={3} look="font-mono text-xs text-ink-2" />
            </div>
          </li>
        ))}
      </ol>
      <ShowMore query={query} of="events" />
    </>
  );
}
