import type { Schemas } from "@/lib/api";
import { formatDuration } from "@/lib/format";

/** Every part of the time, in the order of a run's life. A pattern tells them apart as well as a colour. */
const PARTS = [
  { key: "queued_ms", label: "queued", look: "bg-queued" },
  { key: "limited_ms", label: "held by a limit", look: "border-2 border-queued bg-queued-soft" },
  { key: "running_ms", label: "running", look: "bg-running" },
  { key: "backing_off_ms", label: "backing off", look: "border-2 border-dashed border-retrying bg-retrying-soft" },
  { key: "waiting_ms", label: "waiting", look: "border-2 border-dotted border-waiting bg-waiting-soft" },
  { key: "ended_ms", label: "ended, until a retry", look: "border border-line-strong" },
] as const;

/** Where the time went: the parts add up to the whole. */
export function TimeBar({ time }: { time: Schemas["TimeSpent"] }) {
  const parts = PARTS.filter(({ key }) => time[key] > 0);
  return (
    <div>
      <div aria-hidden="true" className="flex h-3 gap-px overflow-hidden rounded-chip bg-sunken">
        {parts.map(({ key, look }) => (
          <span key={key} className={`${look} min-w-1`} style={{ flexGrow: time[key], flexBasis: 0 }} />
        ))}
      </div>
      <dl aria-label="Where the time went" className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-xs">
        {parts.map(({ key, label, look }) => (
          <div key={key} className="flex items-center gap-1.5">
            <span aria-hidden="true" className={`${look} size-2.5 rounded-chip`} />
            <dt className="text-ink-2">{label}</dt>
            <dd className="font-mono">{formatDuration(time[key])}</dd>
          </div>
        ))}
        {parts.length === 0 && (
          <div className="text-ink-2">
            <dt className="sr-only">total</dt>
            <dd>{formatDuration(time.total_ms)}</dd>
          </div>
        )}
      </dl>
    </div>
  );
}
