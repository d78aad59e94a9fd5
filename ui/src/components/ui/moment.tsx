import { useNow } from "@/lib/clock";
import { durationOf, formatDuration, formatFull, formatMoment, formatRelative } from "@/lib/format";
import { useZone } from "@/lib/preferences";

/** A time as people say it, with the whole of it when the pointer rests. */
export function Moment({ at, isRelative = false }: { at: string; isRelative?: boolean }) {
  const now = useNow();
  const zone = useZone();
  return (
    <time dateTime={at} title={formatFull(at, zone)} className="whitespace-nowrap">
      {isRelative ? formatRelative(at, now) : formatMoment(at, now, zone)}
    </time>
  );
}

/** How long something took; it goes on counting where it has not ended. */
export function Duration({ from, to }: { from: string | null; to: string | null }) {
  const now = useNow();
  const milliseconds = durationOf(from, to, now);
  return <span className="font-mono whitespace-nowrap">{milliseconds === undefined ? "–" : formatDuration(milliseconds)}</span>;
}
