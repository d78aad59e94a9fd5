import { Lamp } from "@/components/ui/lamp";
import type { Stats } from "./api";

const count = new Intl.NumberFormat("en");

const PARTS = [
  { key: "started", label: "started a run" },
  { key: "duplicate", label: "were duplicates" },
  { key: "filtered", label: "were filtered out" },
  { key: "pending", label: "are held back" },
] as const satisfies readonly { key: keyof Stats["ingest"]; label: string }[];

/** Where every accepted event has gone, counted from two sides, and by how many they differ. */
export function IngestTile({ ingest }: { ingest: Stats["ingest"] }) {
  const isWhole = ingest.drift === 0;
  return (
    <section aria-labelledby="ingest" className="min-w-0 rounded-control border border-line bg-surface p-3">
      <h2 id="ingest" className="font-semibold">
        Accounted events
      </h2>
      <dl className="mt-2 flex flex-col gap-1">
        <Line label="accepted" value={ingest.accepted} />
        {PARTS.map(({ key, label }, place) => (
          <Line key={key} label={label} value={ingest[key]} sign={place === 0 ? "=" : "+"} />
        ))}
        <div className="mt-1 flex items-center justify-between gap-3 border-t border-line pt-2 font-semibold">
          <dt className="flex items-center gap-1.5">
            <Lamp tone={isWhole ? "succeeded" : "failed"} />
            Drift
          </dt>
          <dd data-drift={ingest.drift} className={isWhole ? "font-mono" : "font-mono text-failed"}>
            {count.format(ingest.drift)}
          </dd>
        </div>
      </dl>
      <p className="mt-1 text-xs text-ink-3">
        {isWhole ? "Every accepted event is accounted for." : "So many events were lost, or came out of nothing. See the log of the worker."}
        {ingest.rejected > 0 && ` Beside them, ${count.format(ingest.rejected)} calls were refused.`}
      </p>
    </section>
  );
}

function Line({ label, value, sign }: { label: string; value: number; sign?: string }) {
  return (
    <div className="flex justify-between gap-3">
      <dt className="text-ink-2">
        {sign !== undefined && (
          <span aria-hidden="true" className="mr-1.5 font-mono text-ink-3">
            {sign}
          </span>
        )}
        {label}
      </dt>
      <dd className="font-mono">{count.format(value)}</dd>
    </div>
  );
}
