import { describe, expect, it } from "vitest";
import { durationOf, formatDuration, formatRelative } from "./format";

const NOW = Date.parse("2026-11-27T12:00:00Z");
const before = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

describe("durations", () => {
  it.each([
    [0, "0 ms"],
    [418, "418 ms"],
    [999.6, "1.0 s"],
    [3200, "3.2 s"],
    [59_960, "1 min"],
    [250_000, "4 min 10 s"],
    [7_500_000, "2 h 5 min"],
    [273_600_000, "3 d 4 h"],
  ])("%d ms read as %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  it("go on until now where nothing has ended", () => {
    expect(durationOf(before(7), null, NOW)).toBe(7000);
    expect(durationOf(before(7), before(4), NOW)).toBe(3000);
    expect(durationOf(null, null, NOW)).toBeUndefined();
  });
});

describe("times that are not long ago", () => {
  it.each([
    [1, "just now"],
    [42, "42 sec. ago"],
    [200, "3 min. ago"],
    [7200, "2 hr. ago"],
    [86_400, "yesterday"],
  ])("%d s before now read as %s", (seconds, text) => {
    expect(formatRelative(before(seconds), NOW)).toBe(text);
  });
});
