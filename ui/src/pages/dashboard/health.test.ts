import { describe, expect, it } from "vitest";
import { type Stats, patchRunning } from "./api";
import { findTrouble, isQuiet, totalRuns } from "./health";

const AT = "2026-11-27T12:00:00Z";

function stats(more: Partial<Stats> = {}, failed = 0): Stats {
  return {
    window: "24h",
    since: AT,
    ingest: { accepted: 5, started: 3, duplicate: 1, filtered: 1, pending: 0, rejected: 2, drift: 0 },
    runs: {
      since: AT,
      until: AT,
      by_status: { queued: 0, running: 1, waiting: 1, succeeded: 8, failed, cancelled: 1, timed_out: 0 },
      success_rate: 1,
      duration_ms: { p50: 10, p95: 20 },
      points: [],
    },
    failing_workflows: [],
    running: [],
    queue_depth: 0,
    steps_in_flight: 0,
    events_per_minute: 0,
    ...more,
  };
}

function run(id: string): Stats["running"][number] {
  return {
    id,
    workflow_id: "w",
    workflow_name: "Orders",
    version: 1,
    status: "running",
    trigger_type: "webhook",
    created_at: AT,
    started_at: AT,
  };
}

describe("what needs attention", () => {
  it("is nothing where all goes well", () => {
    expect(findTrouble(stats())).toEqual([{ tone: "succeeded", text: "Nothing needs attention." }]);
  });

  it("begins with events that nobody can account for", () => {
    const broken = stats({ ingest: { ...stats().ingest, drift: 1 } }, 2);
    expect(findTrouble(broken).map(({ text }) => text)).toEqual([
      "1 accepted event cannot be accounted for.",
      "2 runs failed.",
    ]);
  });

  it("is a queue that nobody works on, and none that is worked on", () => {
    expect(findTrouble(stats({ queue_depth: 1200 }))[0]?.text).toBe("1,200 runs wait for a worker.");
    expect(findTrouble(stats({ queue_depth: 1200, steps_in_flight: 3 }))[0]?.tone).toBe("succeeded");
  });
});

describe("a time in which nothing came", () => {
  const { ingest, runs } = stats();
  const nothing = stats({
    ingest: { accepted: 0, started: 0, duplicate: 0, filtered: 0, pending: 0, rejected: 0, drift: 0 },
    runs: { ...runs, by_status: { queued: 0, running: 0, waiting: 0, succeeded: 0, failed: 0, cancelled: 0, timed_out: 0 } },
  });

  it("has nothing to tell of", () => {
    expect(isQuiet(nothing)).toBe(true);
  });

  it("has what goes on from before, and what is missing", () => {
    expect(isQuiet({ ...nothing, running: [run("a")] })).toBe(false);
    expect(isQuiet({ ...nothing, ingest: { ...nothing.ingest, drift: 1 } })).toBe(false);
    expect(isQuiet({ ...nothing, ingest })).toBe(false);
    expect(isQuiet({ ...nothing, runs })).toBe(false);
  });
});

it("runs are counted over all statuses", () => {
  expect(totalRuns(stats({}, 4))).toBe(15);
});

describe("runs that go on", () => {
  const event = (run_id: string, status: string) => ({ run_id, status, type: `run.${status}`, workflow_id: "w", seq: 2, at: AT });

  it("take the last status that the stream tells", () => {
    const before = stats({ running: [run("a"), run("b")] });
    const after = patchRunning(before, [event("b", "waiting"), event("b", "succeeded"), event("x", "failed")]);
    expect(after.running.map(({ status }) => status)).toEqual(["running", "succeeded"]);
  });

  it("are the same object where nothing concerns them", () => {
    const before = stats({ running: [run("a")] });
    expect(patchRunning(before, [event("z", "failed")])).toBe(before);
  });
});
