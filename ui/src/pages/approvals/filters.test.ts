import { describe, expect, it } from "vitest";
import type { LiveEvent } from "@/lib/live";
import { concerns } from "./api";
import { readApprovalFilters } from "./filters";

const RUN = "01a21a4f-3d41-7000-8000-000000000001";

describe("filters of an address", () => {
  it("keep what they know and leave out the rest", () => {
    expect(readApprovalFilters({ status: "rejected", run: RUN, x: 1 })).toEqual({ status: "rejected", run: RUN });
  });

  it.each([
    ["a status that is none", { status: "pending" }],
    ["a run that is none", { run: "' OR 1=1" }],
    ["several statuses", { status: ["approved"] }],
  ])("leave out %s", (_, search) => {
    expect(readApprovalFilters(search)).toEqual({});
  });
});

describe("what the stream tells", () => {
  const event = (type: string, run_id = RUN): LiveEvent => ({ type, run_id, workflow_id: "w", status: "running", seq: 1, at: "" });

  it("asks for the approvals anew where a run begins to wait, or one goes on that is shown", () => {
    expect(concerns([event("run.waiting", "other")], new Set())).toBe(true);
    expect(concerns([event("run.cancelled")], new Set([RUN]))).toBe(true);
  });

  it("asks for nothing where other runs come and go", () => {
    expect(concerns([event("run.queued", "a"), event("run.succeeded", "b")], new Set([RUN]))).toBe(false);
  });
});
