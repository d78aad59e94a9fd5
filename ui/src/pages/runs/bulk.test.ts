import { describe, expect, it } from "vitest";
import { describeSkipped, toBulkFilter } from "./bulk";

const NOW = Date.parse("2026-11-27T12:00:42Z");
const NOTHING = { workflow_id: null, trigger_type: null, since: null, until: null, q: null };

describe("what many runs are chosen by", () => {
  it("is their ids where they were ticked", () => {
    expect(toBulkFilter({ ids: ["a", "b"] }, NOW)).toEqual({ ...NOTHING, ids: ["a", "b"] });
  });

  it("is what the list shows, up to the moment of counting", () => {
    expect(toBulkFilter({ filters: { status: ["failed"], workflow: "w", period: "1h", q: "502" } }, NOW)).toEqual({
      workflow_id: "w",
      trigger_type: null,
      since: "2026-11-27T11:00:00.000Z",
      until: "2026-11-27T12:00:42.000Z",
      q: "502",
      status: ["failed"],
    });
  });

  it("names no status where none is chosen", () => {
    expect("status" in toBulkFilter({ filters: {} }, NOW)).toBe(false);
  });

  it("is told with what it is not for", () => {
    expect(describeSkipped({ succeeded: 14, timed_out: 2 })).toBe("14 succeeded, 2 timed out");
    expect(describeSkipped({})).toBe("");
  });
});
