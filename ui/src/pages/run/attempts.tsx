import { LongText } from "@/components/ui/long-text";
import { Duration, Moment } from "@/components/ui/moment";
import { ValueView } from "@/features/values/value-view";
import { formatDuration } from "@/lib/format";
import type { Step } from "./api";

/** Every try of a step, the first one first. */
export function Attempts({ attempts }: { attempts: Step["attempts"] }) {
  const title = attempts.length === 1 ? "1 attempt" : `${attempts.length} attempts`;
  return <ValueView title={title} value={attempts} list={<List attempts={attempts} />} />;
}

function List({ attempts }: { attempts: Step["attempts"] }) {
  return (
    <ol aria-label="Attempts" className="divide-y divide-line">
      {attempts.map((attempt) => (
        <li key={attempt.number} className="py-1.5">
          <div className="flex flex-wrap items-center gap-x-3">
            <span className="font-mono">{attempt.number}</span>
            <span className="font-semibold">{attempt.status}</span>
            {attempt.started_at !== null && (
              <span className="text-ink-2">
                <Moment at={attempt.started_at} />
              </span>
            )}
            <Duration from={attempt.started_at} to={attempt.finished_at} />
            <span className="font-mono text-xs text-ink-3">
              queued {formatDuration(attempt.queued_ms)}
              {attempt.limited_ms > 0 && `, of which held by a limit ${formatDuration(attempt.limited_ms)}`}
            </span>
          </div>
          {attempt.error !== null && (
            <div className="flex flex-wrap items-baseline gap-x-2 text-failed">
              <LongText text={attempt.error.message} lines={3} />
              <span className="font-mono text-xs wrap-anywhere">{attempt.error.code}</span>
            </div>
          )}
        </li>
      ))}
    </ol>
  );
}
