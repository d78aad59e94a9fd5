import { expect, it } from "vitest";
import { beginOf, readPeriod } from "./period";

const NOW = Date.parse("2026-11-27T12:00:42Z");

it("a period of an address is one of those that there are", () => {
  expect([readPeriod("24h"), readPeriod("30d"), readPeriod("1y"), readPeriod(undefined)]).toEqual(["24h", "30d", undefined, undefined]);
});

it.each([
  ["1h", "2026-11-27T11:00:00.000Z"],
  ["24h", "2026-11-26T12:00:00.000Z"],
  ["30d", "2026-10-28T12:00:00.000Z"],
] as const)("a period of %s begins at the same minute for a while", (period, begin) => {
  expect([beginOf(period, NOW), beginOf(period, NOW + 10_000)]).toEqual([begin, begin]);
});

it("without a period there is no begin", () => {
  expect(beginOf(undefined, NOW)).toBeNull();
});
