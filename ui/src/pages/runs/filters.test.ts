import { describe, expect, it } from "vitest";
import { readRunFilters, toQuery } from "./filters";

const WORKFLOW = "01a21a4f-3d41-7000-8000-000000000001";

describe("filters of an address", () => {
  it("keep what they know and leave out the rest", () => {
    expect(
      readRunFilters({ status: ["failed", "broken"], workflow: WORKFLOW, trigger: "webhook", period: "7d", q: "502", x: 1 }),
    ).toEqual({ status: ["failed"], workflow: WORKFLOW, trigger: "webhook", period: "7d", q: "502" });
  });

  it.each([
    ["one status alone", { status: "failed" }, { status: ["failed"] }],
    ["an id that is none", { workflow: "x' OR 1=1" }, {}],
    ["an unknown trigger", { trigger: "mail" }, {}],
    ["an unknown period", { period: "1y" }, {}],
    ["an empty search", { q: "" }, {}],
    ["two moments, and no period beside them", { from: "2026-11-27T10:00:00+01:00", to: "2026-11-27T11:00Z", period: "7d" }, { from: "2026-11-27T09:00:00.000Z", to: "2026-11-27T11:00:00.000Z" }],
    ["a moment that is none", { from: "noon", period: "7d" }, { period: "7d" }],
    ["a search for a number", { q: 502 }, { q: "502" }],
    ["a search that is no text", { q: { a: 1 } }, {}],
  ])("read %s", (_, search, filters) => {
    expect(readRunFilters(search)).toEqual(filters);
  });
});

describe("the query of the API", () => {
  const now = Date.parse("2026-11-27T12:00:42Z");

  it("asks for several statuses at once", () => {
    expect(toQuery({ status: ["failed", "timed_out"] }, now).status).toBe("failed,timed_out");
  });

  it("asks for what lies between two moments", () => {
    const { since, until } = toQuery({ from: "2026-11-27T09:00:00.000Z", to: "2026-11-27T11:00:00.000Z" }, now);
    expect([since, until]).toEqual(["2026-11-27T09:00:00.000Z", "2026-11-27T11:00:00.000Z"]);
  });

  it("asks for the same runs within a minute", () => {
    expect(toQuery({ period: "1h" }, now).since).toBe("2026-11-27T11:00:00.000Z");
    expect(toQuery({ period: "1h" }, now + 10_000).since).toBe(toQuery({ period: "1h" }, now).since);
  });
});
