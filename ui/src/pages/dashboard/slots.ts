import type { Stats } from "./api";

/** The API cuts a window into so many parts, and leaves out those without runs. */
export const SLOTS = 48;

/** The runs that were accepted from `from` to `to`, in milliseconds since 1970. */
export interface Slot {
  from: number;
  to: number;
  succeeded: number;
  failed: number;
  cancelled: number;
  unfinished: number;
  p50: number | null;
  p95: number | null;
}

/** All parts of the window, also those without runs. */
export function fillSlots({ since, until, points }: Stats["runs"]): Slot[] {
  const begin = Date.parse(since);
  const part = (Date.parse(until) - begin) / SLOTS;
  const slots = Array.from({ length: SLOTS }, (_, place): Slot => {
    const from = begin + place * part;
    return { from, to: from + part, succeeded: 0, failed: 0, cancelled: 0, unfinished: 0, p50: null, p95: null };
  });
  for (const { at, succeeded, failed, cancelled, unfinished, duration_ms } of points) {
    const slot = slots[part > 0 ? Math.min(SLOTS - 1, Math.round((Date.parse(at) - begin) / part)) : 0];
    if (slot !== undefined) Object.assign(slot, { succeeded, failed, cancelled, unfinished, p50: duration_ms.p50, p95: duration_ms.p95 });
  }
  return slots;
}

/** Whether anything was accepted in it. */
export function isEmpty(slot: Slot): boolean {
  return slot.succeeded + slot.failed + slot.cancelled + slot.unfinished === 0;
}

/** The end of an axis: the next of 1, 2 or 5 times a power of ten; at least 1. */
export function niceCeil(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((end) => end >= value) ?? 10 * power;
}

/** A line over the slots as the path of an SVG of the size `SLOTS` x 1; it breaks where there is no value. */
export function linePath(values: readonly (number | null)[], end: number): string {
  let path = "";
  let isDrawing = false;
  for (const [place, value] of values.entries()) {
    if (value === null) {
      isDrawing = false;
      continue;
    }
    const y = round(1 - Math.min(1, value / end));
    // A step over the whole slot: also one that stands alone is seen.
    path += isDrawing ? `V${y}H${place + 1}` : `M${place} ${y}H${place + 1}`;
    isDrawing = true;
  }
  return path;
}

function round(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
