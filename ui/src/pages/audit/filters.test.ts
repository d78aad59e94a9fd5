import { describe, expect, it } from "vitest";
import { readAuditFilters, toQuery } from "./filters";

const USER = "01a21a4f-3d41-7000-8000-000000000001";

describe("filters of an address", () => {
  it("keep what they know and leave out the rest", () => {
    expect(
      readAuditFilters({ action: "api_key.created", outcome: "refused", user: USER, target: "x", period: "7d", q: "grace", z: 1 }),
    ).toEqual({ action: "api_key.created", outcome: "refused", user: USER, target: "x", period: "7d", q: "grace" });
  });

  it.each([
    ["a kind of actions", { action: "session" }, { action: "session" }],
    ["an action that the API would refuse", { action: "Session.Began" }, {}],
    ["an unknown outcome", { outcome: "lost" }, {}],
    ["a user that is no id", { user: "grace" }, {}],
    ["an unknown period", { period: "1y" }, {}],
    ["a search for a number", { q: 502 }, { q: "502" }],
    ["an empty search", { q: "" }, {}],
    ["a search that is no text", { q: { a: 1 } }, {}],
  ])("read %s", (_, search, filters) => {
    expect(readAuditFilters(search)).toEqual(filters);
  });
});

describe("the query of the API", () => {
  const now = Date.parse("2026-11-27T12:00:42Z");

  it("names everything, null where nothing is asked for", () => {
    expect(toQuery({}, now)).toEqual({ action: null, outcome: null, user_id: null, target_id: null, since: null, q: null });
  });

  it("asks for the same entries within a minute", () => {
    expect(toQuery({ period: "1h" }, now).since).toBe("2026-11-27T11:00:00.000Z");
    expect(toQuery({ period: "1h" }, now + 10_000).since).toBe(toQuery({ period: "1h" }, now).since);
  });
});
