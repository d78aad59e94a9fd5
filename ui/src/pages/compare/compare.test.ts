import { describe, expect, it } from "vitest";
import type { Run, Step } from "@/features/runs/run";
import { readExact } from "@/lib/exact-json";
import { compareSteps, firstDifference, isSame, lengthOf } from "./compare";

const CREATED = "2026-01-01T00:00:00.000Z";
const at = (milliseconds: number) => new Date(Date.parse(CREATED) + milliseconds).toISOString();

function step(id: string, begin: number | null, more: Partial<Step> = {}): Step {
  const time = { total_ms: 10, queued_ms: 0, limited_ms: 0, running_ms: 10, backing_off_ms: 0, waiting_ms: 0, ended_ms: 0 };
  return {
    id,
    path: id,
    type: "http",
    name: null,
    status: "succeeded",
    started_at: begin === null ? null : at(begin),
    time: begin === null ? null : time,
    input: null,
    output: null,
    error: null,
    port: null,
    ...more,
  } as Step;
}

const run = (...steps: Step[]) => ({ created_at: CREATED, finished_at: null, steps }) as unknown as Run;

describe("two runs beside each other", () => {
  it("that went the same way with the same data do not differ", () => {
    const steps = compareSteps(run(step("a", 0), step("b", 5)), run(step("a", 3), step("b", 9)));
    expect(steps.map(({ path }) => path)).toEqual(["a", "b"]);
    expect(firstDifference(steps)).toBeUndefined();
  });

  it("differ first where the first step that differs began, whatever the order of the definition", () => {
    const a = run(step("late", 50, { output: 1 }), step("early", 5, { output: 1 }));
    const b = run(step("late", 50, { output: 2 }), step("early", 5, { output: 2 }));
    expect(firstDifference(compareSteps(a, b))?.path).toBe("early");
  });

  it.each([
    ["status", { status: "failed" }],
    ["status", { port: "true" }],
    ["error", { error: { code: "x", message: "y", details: null } }],
    ["input", { input: { url: "u" } }],
    ["output", { output: [1] }],
  ] as const)("differ by %s", (difference, more) => {
    expect(compareSteps(run(step("a", 0)), run(step("a", 0, more as Partial<Step>)))[0]?.differences).toEqual([difference]);
  });

  it("differ where only one of them has a step", () => {
    const [, only] = compareSteps(run(step("a", 0)), run(step("a", 0), step("b", 5)));
    expect(only).toMatchObject({ path: "b", a: undefined, differences: ["missing"], delta: undefined });
  });

  it("tell how much longer a step took", () => {
    const slow = step("a", 0, { time: { total_ms: 25 } as NonNullable<Step["time"]> });
    expect(compareSteps(run(step("a", 0)), run(slow))[0]?.delta).toBe(15);
    expect(compareSteps(run(step("a", null)), run(slow))[0]?.delta).toBeUndefined();
  });

  it("compare no times of a step that never ran in one of them, whatever its time says", () => {
    const idle = step("a", null, { status: "skipped", time: { total_ms: 0 } as NonNullable<Step["time"]> });
    const quick = step("a", 0, { time: { total_ms: 0 } as NonNullable<Step["time"]> });
    expect(compareSteps(run(idle), run(quick))[0]?.delta).toBeUndefined();
    expect(compareSteps(run(quick), run(idle))[0]?.delta).toBeUndefined();
    expect(compareSteps(run(quick), run(quick))[0]?.delta).toBe(0);
  });

  it("have a length once they have ended", () => {
    expect(lengthOf({ created_at: CREATED, finished_at: at(70) })).toBe(70);
    expect(lengthOf({ created_at: CREATED, finished_at: null })).toBeUndefined();
  });
});

describe("two values", () => {
  it.each([
    [{ a: 1, b: [2] }, { b: [2], a: 1 }, true],
    [{ a: 1 }, { a: 1, b: undefined }, false],
    [[1, 2], [2, 1], false],
    [[1], { 0: 1 }, false],
    [null, {}, false],
    [1, "1", false],
    [{ preview: "x", size: 7, ref: "1" }, { preview: "x", size: 7, ref: "2" }, true],
    [{ preview: "x", size: 7, ref: "1" }, { preview: "x", size: 8, ref: "1" }, false],
  ])("%j and %j", (a, b, same) => {
    expect(isSame(a, b)).toBe(same);
  });

  it("that part in the last digit of an id are not the same", () => {
    const order = (id: string) => readExact(`{"order": {"id": ${id}}}`);
    expect(isSame(order("9007199254740993"), order("9007199254740992"))).toBe(false);
    expect(isSame(order("9007199254740993"), order("9007199254740993"))).toBe(true);
    expect(isSame(order("7.0"), order("7.0"))).toBe(true);
    expect(isSame(order("7.0"), order("8.0"))).toBe(false);
    expect(isSame(order("7.0"), order("7"))).toBe(false);
    expect(isSame(order("7.0"), order('{"text": "7.0"}'))).toBe(false);
  });
});
