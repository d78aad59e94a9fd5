import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Lamp } from "@/components/ui/lamp";
import { Panel } from "@/components/ui/panel";
import type { Outcome } from "@/features/inbound-events/outcome";
import { formatCount } from "@/lib/format";
import type { Stats } from "./api";
import type { StatsWindow } from "./window";

const PARTS = [
  { key: "started", label: "started a run" },
  { key: "duplicate", label: "were duplicates" },
  { key: "filtered", label: "were filtered out" },
  { key: "pending", label: "are held back" },
] as const satisfies readonly { key: Outcome; label: string }[];

interface IngestTileProps {
  ingest: Stats["ingest"];
  window: StatsWindow;
}

/** Where every accepted event has gone, counted from two sides, and by how many they differ. */
export function IngestTile({ ingest, window }: IngestTileProps) {
  const isWhole = ingest.drift === 0;
  const link = (outcome: Outcome[], children: ReactNode) => (
    <Link to="/events" search={{ outcome, period: window }} className="inline-block min-h-6 underline">
      {children}
    </Link>
  );
  return (
    <Panel id="ingest" title="Accounted events">
      <dl className="flex flex-col">
        <Line label={link(PARTS.map(({ key }) => key), "accepted")} value={ingest.accepted} />
        {PARTS.map(({ key, label }, place) => (
          <Line key={key} label={link([key], label)} value={ingest[key]} sign={place === 0 ? "=" : "+"} />
        ))}
        <div className="mt-1 flex items-center justify-between gap-3 border-t border-line pt-2 font-semibold">
          <dt className="flex items-center gap-1.5">
            <Lamp tone={isWhole ? "succeeded" : "failed"} />
            Drift
          </dt>
          <dd data-drift={ingest.drift} className={isWhole ? "font-mono" : "font-mono text-failed"}>
            {formatCount(ingest.drift)}
          </dd>
        </div>
      </dl>
      <p className="mt-1 text-xs text-ink-3">
        {isWhole ? "Every accepted event is accounted for." : "So many events were lost, or came out of nothing. See the log of the worker."}
        {ingest.rejected > 0 && <> Beside them, {link(["rejected"], `${formatCount(ingest.rejected)} ${ingest.rejected === 1 ? "call was" : "calls were"} refused`)}.</>}
      </p>
    </Panel>
  );
}

function Line({ label, value, sign }: { label: ReactNode; value: number; sign?: string }) {
  return (
    <div className="flex items-baseline justify-between gap-3">
      <dt className="text-ink-2">
        {sign !== undefined && (
          <span aria-hidden="true" className="mr-1.5 font-mono text-ink-3">
            {sign}
          </span>
        )}
        {label}
      </dt>
      <dd className="font-mono">{formatCount(value)}</dd>
    </div>
  );
}
