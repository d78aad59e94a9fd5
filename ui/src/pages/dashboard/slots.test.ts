import { describe, expect, it } from "vitest";
import type { Stats } from "./api";
import { SLOTS, fillSlots, isEmpty, linePath, niceCeil } from "./slots";

const SINCE = Date.parse("2026-11-27T00:00:00Z");
const HOUR = 3_600_000;

function runs(places: number[]): Stats["runs"] {
  return {
    since: new Date(SINCE).toISOString(),
    until: new Date(SINCE + 48 * HOUR).toISOString(),
    by_status: { queued: 0, running: 0, waiting: 0, succeeded: 0, failed: 0, cancelled: 0, timed_out: 0 },
    success_rate: null,
    duration_ms: { p50: null, p95: null },
    points: places.map((place) => ({
      at: new Date(SINCE + place * HOUR).toISOString(),
      succeeded: place + 1,
      failed: 1,
      cancelled: 0,
      unfinished: 0,
      duration_ms: { p50: 100, p95: 200 },
    })),
  };
}

describe("the parts of a window", () => {
  it("are all there, those without runs too, and join without gaps", () => {
    const slots = fillSlots(runs([0, 30, 47]));
    expect(slots).toHaveLength(SLOTS);
    expect(slots.filter((slot) => !isEmpty(slot)).map((slot) => slot.succeeded)).toEqual([1, 31, 48]);
    expect(slots[30]).toMatchObject({ from: SINCE + 30 * HOUR, to: SINCE + 31 * HOUR, p50: 100, p95: 200 });
    expect(slots.every((slot, place) => place === 0 || slot.from === slots[place - 1]?.to)).toBe(true);
  });

  it("take what times in whole microseconds put beside the grid", () => {
    const skewed = runs([5]);
    skewed.points[0]!.at = new Date(SINCE + 5 * HOUR - 1).toISOString();
    expect(isEmpty(fillSlots(skewed)[5]!)).toBe(false);
  });

  it("of no time at all are the first", () => {
    const none = runs([0]);
    none.until = none.since;
    expect(isEmpty(fillSlots(none)[0]!)).toBe(false);
  });
});

describe("the end of an axis", () => {
  it.each([
    [0, 1],
    [1, 1],
    [2, 2],
    [3, 5],
    [6, 10],
    [11, 20],
    [480, 500],
    [501, 1000],
    [1_000_000, 1_000_000],
  ])("for %d is %d", (value, end) => {
    expect(niceCeil(value)).toBe(end);
  });
});

describe("a line", () => {
  it("breaks where there is no value, and shows one that stands alone", () => {
    expect(linePath([null, 50, null, 100, 0], 100)).toBe("M1 0.5H2M3 0H4V1H5");
  });

  it("of nothing is nothing", () => {
    expect(linePath([null, null], 100)).toBe("");
  });
});
