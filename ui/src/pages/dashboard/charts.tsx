import { memo } from "react";
import { formatAbout, formatDuration } from "@/lib/format";
import { Chart } from "./chart";
import { type Slot, SLOTS, linePath, niceCeil } from "./slots";

/** The place of a bar within its slot. */
const GAP = 0.12;
const WIDTH = 1 - 2 * GAP;

function Key({ look, children }: { look: string; children: string }) {
  return (
    <span className="flex items-center gap-1.5">
      <span aria-hidden="true" className={`${look} size-2.5 rounded-chip`} />
      {children}
    </span>
  );
}

/** How many runs were accepted, by how they ended: what failed points down, so that not colour alone tells it. */
export const ThroughputChart = memo(function ThroughputChart({ slots, onChoose }: { slots: readonly Slot[]; onChoose: (slot: Slot) => void }) {
  const up = niceCeil(Math.max(...slots.map((slot) => slot.succeeded + slot.cancelled + slot.unfinished)));
  const worst = Math.max(...slots.map((slot) => slot.failed));
  const down = worst === 0 ? 0 : niceCeil(worst);
  const unit = 1 / (up + down);
  const zero = up * unit;
  return (
    <Chart
      title="Runs"
      slots={slots}
      onChoose={onChoose}
      top={formatAbout(up)}
      {...(down > 0 ? { bottom: `${formatAbout(down)} failed` } : {})}
      legend={
        <>
          <Key look="bg-succeeded">succeeded</Key>
          <Key look="border border-running bg-running-soft">going on</Key>
          <Key look="border border-cancelled bg-cancelled-soft">cancelled</Key>
          <Key look="bg-failed">failed, downwards</Key>
        </>
      }
      columns={[
        { name: "succeeded", read: (slot) => String(slot.succeeded) },
        { name: "failed", read: (slot) => String(slot.failed) },
        { name: "cancelled", read: (slot) => String(slot.cancelled) },
        { name: "going on", read: (slot) => String(slot.unfinished) },
      ]}
    >
      {slots.map((slot, place) => (
        <Bars key={slot.from} slot={slot} place={place} unit={unit} zero={zero} />
      ))}
      {down > 0 && <path d={`M0 ${zero}H${SLOTS}`} vectorEffect="non-scaling-stroke" className="fill-none stroke-line-strong" />}
    </Chart>
  );
});

function Bars({ slot, place, unit, zero }: { slot: Slot; place: number; unit: number; zero: number }) {
  const parts = [
    { runs: slot.succeeded, look: "fill-succeeded" },
    { runs: slot.unfinished, look: "fill-running-soft stroke-running" },
    { runs: slot.cancelled, look: "fill-cancelled-soft stroke-cancelled" },
  ];
  let top = zero;
  return (
    <>
      {parts.map(({ runs, look }) => {
        top -= runs * unit;
        return runs > 0 && <Bar key={look} place={place} y={top} height={runs * unit} look={look} />;
      })}
      {slot.failed > 0 && <Bar place={place} y={zero} height={slot.failed * unit} look="fill-failed" />}
    </>
  );
}

function Bar({ place, y, height, look }: { place: number; y: number; height: number; look: string }) {
  return <rect x={place + GAP} y={y} width={WIDTH} height={height} vectorEffect="non-scaling-stroke" className={look} />;
}

/** How long runs took that were accepted within each part of the time. */
export const DurationChart = memo(function DurationChart({ slots }: { slots: readonly Slot[] }) {
  const end = niceCeil(Math.max(...slots.map((slot) => Math.max(slot.p50 ?? 0, slot.p95 ?? 0))));
  const say = (milliseconds: number | null) => (milliseconds === null ? "–" : formatDuration(milliseconds));
  return (
    <Chart
      title="Duration"
      slots={slots}
      top={formatDuration(end)}
      legend={
        <>
          <Key look="h-0.5! w-4! bg-ink">half took less (p50)</Key>
          <Key look="h-0! w-4! border-t-2 border-dashed border-ink-3">95% took less (p95)</Key>
        </>
      }
      columns={[
        { name: "p50", read: (slot) => say(slot.p50) },
        { name: "p95", read: (slot) => say(slot.p95) },
      ]}
    >
      <path
        d={linePath(slots.map((slot) => slot.p95), end)}
        vectorEffect="non-scaling-stroke"
        className="fill-none stroke-ink-3 stroke-2 [stroke-dasharray:4_4]"
      />
      <path
        d={linePath(slots.map((slot) => slot.p50), end)}
        vectorEffect="non-scaling-stroke"
        className="fill-none stroke-ink stroke-2"
      />
    </Chart>
  );
});
