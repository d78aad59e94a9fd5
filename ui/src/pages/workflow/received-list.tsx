import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Icon } from "@/components/ui/icon";
import { Moment } from "@/components/ui/moment";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { tellReason } from "@/features/inbound-events/outcome";
import { OutcomeBadge } from "@/features/inbound-events/outcome-badge";
import { ValueView } from "@/features/values/value-view";
import { receivedQuery } from "./trigger-api";

/** The last events of a trigger with their payloads; what stands under names of secrets is masked by the API. */
export function ReceivedList({ triggerId }: { triggerId: string }) {
  const query = useQuery(receivedQuery(triggerId));
  if (query.isPending) return <LoadingRows rows={3} />;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  if (query.data.items.length === 0) return <p className="py-2 text-ink-2">Nothing yet. What comes appears here by itself.</p>;
  return (
    <ol aria-label="Received" className="divide-y divide-line">
      {query.data.items.map((event) => (
        <li key={event.id}>
          <details>
            <summary className="flex min-h-(--row) flex-wrap items-center gap-x-3 py-1">
              <Icon name="down" />
              <Moment at={event.received_at} />
              <OutcomeBadge outcome={event.outcome} />
              {event.reason !== null && (
                <span title={event.reason} className="text-ink-2">
                  {tellReason(event.reason)}
                </span>
              )}
            </summary>
            <div className="pb-3">
              {event.message !== null && <p className="text-failed wrap-anywhere">{event.message}</p>}
              {event.run_id !== null && (
                <Link to="/runs/$runId" params={{ runId: event.run_id }} className="inline-flex min-h-6 items-center underline">
                  The run that it started
                </Link>
              )}
              {event.trigger === null ? (
                <p className="text-ink-2">What was sent is kept no more.</p>
              ) : (
                <ValueView title="Payload" value={event.trigger} />
              )}
            </div>
          </details>
        </li>
      ))}
    </ol>
  );
}
