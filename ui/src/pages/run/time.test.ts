import { describe, expect, it } from "vitest";
import type { Run, Step } from "./api";
import { type TimeSpent, ageOf, timeOfRun, timeOfStep } from "./time";

const CREATED = "2026-11-27T12:00:00Z";
const ZERO = Date.parse(CREATED);
const NONE: TimeSpent = { queued_ms: 0, limited_ms: 0, running_ms: 0, waiting_ms: 0, backing_off_ms: 0, ended_ms: 0, total_ms: 0 };

function run(status: Run["status"], steps: Step["status"][], more: Partial<Run> = {}) {
  const time = { ...NONE, running_ms: 2_000, total_ms: 2_000 };
  return { status, created_at: CREATED, time, concurrency: null, steps: steps.map((one) => ({ status: one }) as Step), ...more };
}

describe("the time of a run that goes on", () => {
  it("grows by what has passed since it was read", () => {
    expect(ageOf(run("running", []), ZERO + 5_000)).toBe(3_000);
    const time = timeOfRun(run("running", ["running"]), ZERO + 5_000);
    expect([time.running_ms, time.total_ms]).toEqual([5_000, 5_000]);
  });

  it.each([
    ["waiting", ["waiting"], "waiting_ms"],
    ["queued", [], "queued_ms"],
    ["running", ["running", "retrying"], "running_ms"],
    ["running", ["succeeded", "retrying", "waiting"], "backing_off_ms"],
  ] as const)("of a %s run with steps %j grows as %s", (status, steps, part) => {
    expect(timeOfRun(run(status, [...steps]), ZERO + 3_000)[part]).toBe((part === "running_ms" ? 2_000 : 0) + 1_000);
  });

  it("that waits for a slot grows as what a limit holds back", () => {
    const concurrency = { key: "a", limit: 1, slot_at: null, holders: [] };
    expect(timeOfRun(run("queued", [], { concurrency }), ZERO + 3_000).limited_ms).toBe(1_000);
  });

  it("does not grow once it has ended, nor where this machine's clock is a little behind", () => {
    const ended = run("failed", []);
    expect(timeOfRun(ended, ZERO + 60_000)).toBe(ended.time);
    const early = run("running", []);
    expect(timeOfRun(early, ZERO + 1_000)).toBe(early.time);
  });

  it("is the sum of its parts", () => {
    const { total_ms: total, ...parts } = timeOfRun(run("waiting", []), ZERO + 60_000);
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(total);
  });
});

describe("the time of a step", () => {
  it.each([
    ["waiting", null, "waiting_ms"],
    ["retrying", "status", "backing_off_ms"],
    ["running", "long_running", "running_ms"],
    ["running", "held_back", "limited_ms"],
  ] as const)("that is %s because of %s grows as %s", (status, reason, part) => {
    expect(timeOfStep({ status, reason }, NONE, 700)[part]).toBe(700);
  });

  it("that has ended does not grow", () => {
    expect(timeOfStep({ status: "succeeded", reason: "completed" }, NONE, 700)).toBe(NONE);
  });
});
