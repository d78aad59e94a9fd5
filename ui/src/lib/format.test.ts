import { describe, expect, it } from "vitest";
import {
  durationOf,
  formatAbout,
  formatBytes,
  formatCount,
  formatCountOf,
  formatDuration,
  formatFull,
  formatMinute,
  formatMoment,
  formatRate,
  formatRelative,
  formatShare,
  nameZone,
} from "./format";

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

describe("the clocks of this machine, and UTC", () => {
  // Half past two at night here, and still the day before by UTC.
  const NIGHT = Date.parse("2026-11-27T21:00:30Z");
  const EVENING = "2026-11-27T17:30:00Z";
  const MORNING = "2026-11-27T00:10:00Z";

  it("tell a time of today without its day, whose day it is by them", () => {
    expect(formatMoment(EVENING, NIGHT, "local")).toBe("27 Nov, 23:00:00");
    expect(formatMoment(EVENING, NIGHT, "utc")).toBe("17:30:00 UTC");
    expect(formatMoment(MORNING, Date.parse(EVENING), "local")).toBe("05:40:00");
    expect(formatMoment("2026-11-26T23:59:59Z", NIGHT, "utc")).toBe("26 Nov, 23:59:59 UTC");
  });

  it("tell the whole of it in tooltips", () => {
    expect(formatFull(EVENING, "local")).toMatch(/^Friday,? 27 November 2026 at 23:00:00 (?!UTC)/);
    expect(formatFull(EVENING, "utc")).toMatch(/^Friday,? 27 November 2026 at 17:30:00 UTC$/);
  });

  it("tell minutes beside drawings", () => {
    expect(formatMinute(NIGHT, false, "local")).toBe("02:30");
    expect(formatMinute(NIGHT, true, "local")).toBe("28 Nov, 02:30");
    expect(formatMinute(NIGHT, false, "utc")).toBe("21:00 UTC");
    expect(formatMinute(NIGHT, true, "utc")).toBe("27 Nov, 21:00 UTC");
  });

  it("have names", () => {
    expect(nameZone("local")).toMatch(/^Asia\/(Kolkata|Calcutta)$/);
    expect(nameZone("utc")).toBe("UTC");
  });
});

it.each([
  [2048, "2 KiB"],
  [1_048_576, "1 MiB"],
  [150_000_000, "143 MiB"],
])("a size of %d bytes is %s", (bytes, said) => {
  expect(formatBytes(bytes)).toBe(said);
});

describe("numbers", () => {
  it("are counted in full, or told about", () => {
    expect([formatCount(0), formatCount(1284), formatAbout(1284)]).toEqual(["0", "1,284", "1.3K"]);
  });

  it("are said with their noun", () => {
    expect([formatCountOf(1, "run"), formatCountOf(0, "run"), formatCountOf(1284, "run")]).toEqual(["1 run", "0 runs", "1,284 runs"]);
  });

  it("have one place where they are averages and shares", () => {
    expect([formatRate(41.66), formatShare(0.9915), formatShare(1)]).toEqual(["41.7", "99.2%", "100%"]);
  });
});
