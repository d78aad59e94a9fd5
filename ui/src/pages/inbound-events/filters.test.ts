import { describe, expect, it } from "vitest";
import { readInboundFilters, toQuery } from "./filters";

const WORKFLOW = "01a21a4f-3d41-7000-8000-000000000001";
const TRIGGER = "01a21a4f-3d41-7000-8000-000000000002";

describe("filters of an address", () => {
  it("keep what they know, in one order, and leave out the rest", () => {
    const search = { outcome: ["rejected", "lost", "pending"], workflow: WORKFLOW, trigger: TRIGGER, period: "7d", x: 1 };
    expect(readInboundFilters(search)).toEqual({ outcome: ["pending", "rejected"], workflow: WORKFLOW, trigger: TRIGGER, period: "7d" });
  });

  it.each([
    ["one outcome alone", { outcome: "filtered" }, { outcome: ["filtered"] }],
    ["no outcome", { outcome: [] }, {}],
    ["a trigger that is no id", { trigger: "x' OR 1=1" }, {}],
    ["a workflow that is no id", { workflow: 7 }, {}],
    ["an unknown period", { period: "1y" }, {}],
  ])("read %s", (_, search, filters) => {
    expect(readInboundFilters(search)).toEqual(filters);
  });
});

describe("the query of the API", () => {
  it("asks for several outcomes at once, and for the same events within a minute", () => {
    const now = Date.parse("2026-11-27T12:00:42Z");
    expect(toQuery({ outcome: ["started", "duplicate"], trigger: TRIGGER, period: "1h" }, now)).toEqual({
      outcome: "started,duplicate",
      workflow_id: null,
      trigger_id: TRIGGER,
      since: "2026-11-27T11:00:00.000Z",
    });
  });
});
