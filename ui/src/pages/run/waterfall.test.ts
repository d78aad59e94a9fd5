import { describe, expect, test } from "vitest";
import { type EventPages, type RunEvent, type Step, appendEvent } from "./api";
import { filterSteps, lengthOf, middleOf, partsOf, ticksOf, tookOf } from "./waterfall";

const CREATED = "2026-01-01T00:00:00.000Z";

function at(milliseconds: number): string {
  return new Date(Date.parse(CREATED) + milliseconds).toISOString();
}

function attempt(number: number, from: number, to: number | null, more: Record<string, unknown> = {}) {
  return {
    number,
    status: to === null ? "running" : "succeeded",
    reason: "",
    error: null,
    started_at: at(from),
    finished_at: to === null ? null : at(to),
    queued_ms: 0,
    limited_ms: 0,
    ...more,
  };
}

function step(more: Partial<Parameters<typeof partsOf>[0]>): Parameters<typeof partsOf>[0] {
  return { status: "succeeded", type: "http", attempts: [], started_at: null, finished_at: null, waiting: null, time: null, ...more };
}

function told(parts: ReturnType<typeof partsOf>) {
  return parts.map(({ kind, from, to }) => [kind, from, to]);
}

describe("the waterfall", () => {
  test("an attempt is its time in the queue, its time held back by a limit, and its work", () => {
    const parts = partsOf(step({ attempts: [attempt(1, 100, 300, { queued_ms: 80, limited_ms: 30 })] }), CREATED, 1000);
    expect(told(parts)).toEqual([
      ["queued", 20, 70],
      ["limited", 70, 100],
      ["running", 100, 300],
    ]);
  });

  test("between two attempts lies the pause, and what failed looks like it", () => {
    const attempts = [attempt(1, 0, 100, { status: "failed", reason: "status" }), attempt(2, 600, 700, { queued_ms: 50 })];
    const parts = partsOf(step({ attempts }), CREATED, 1000);
    expect(told(parts)).toEqual([
      ["running", 0, 100],
      ["backing_off", 100, 550],
      ["queued", 550, 600],
      ["running", 600, 700],
    ]);
    expect(parts[0]?.tone).toBe("failed");
  });

  test("what lies between an end and the retry that undid it is no pause of the step", () => {
    const time = { total_ms: 700, queued_ms: 0, limited_ms: 0, running_ms: 200, backing_off_ms: 0, waiting_ms: 0, ended_ms: 500 };
    const parts = partsOf(step({ time, attempts: [attempt(1, 0, 100), attempt(2, 600, 700)] }), CREATED, 1000);
    expect(told(parts).map(([kind]) => kind)).toEqual(["running", "running"]);
  });

  test("of two rounds with pauses of their own, what lies between them is none", () => {
    const failed = (number: number, from: number, reason: string) => attempt(number, from, from + 10, { status: "failed", reason });
    const attempts = [failed(1, 0, "status"), failed(2, 20, "attempts_exhausted"), failed(3, 800, "timeout"), failed(4, 820, "attempts_exhausted")];
    const time = { total_ms: 830, queued_ms: 0, limited_ms: 0, running_ms: 40, backing_off_ms: 20, waiting_ms: 0, ended_ms: 770 };
    expect(told(partsOf(step({ status: "failed", time, attempts }), CREATED, 1000)).filter(([kind]) => kind === "backing_off")).toEqual([
      ["backing_off", 10, 20],
      ["backing_off", 810, 820],
    ]);
  });

  test("what has not ended goes on until now", () => {
    expect(told(partsOf(step({ status: "running", attempts: [attempt(1, 100, null)] }), CREATED, 900))).toEqual([["running", 100, 900]]);
    const retrying = step({ status: "retrying", attempts: [attempt(1, 0, 100, { status: "failed" })] });
    expect(told(partsOf(retrying, CREATED, 900)).at(-1)).toEqual(["backing_off", 100, 900]);
    expect(told(partsOf(step({ status: "waiting", type: "wait", started_at: at(50) }), CREATED, 900))).toEqual([["waiting", 50, 900]]);
  });

  test("a step that never began has no bar", () => {
    expect(partsOf(step({ status: "skipped" }), CREATED, 900)).toEqual([]);
  });

  test("no bar leaves the run, whatever the clocks of its workers say", () => {
    expect(told(partsOf(step({ attempts: [attempt(1, -20, 2000)] }), CREATED, 1000))).toEqual([["running", 0, 1000]]);
  });

  test("a run that ended as it began has a length all the same", () => {
    expect(lengthOf({ created_at: CREATED, finished_at: CREATED }, 0)).toBe(1);
    expect(lengthOf({ created_at: CREATED, finished_at: null }, Date.parse(at(70)))).toBe(70);
  });

  test.each([1, 37, 1000, 61_000, 604_800_000])("the scale of %i ms has few and round times", (length) => {
    const ticks = ticksOf(length, 5);
    expect(ticks[0]).toBe(0);
    expect(ticks.length).toBeLessThanOrEqual(6);
    expect(ticks.at(-1)).toBeLessThanOrEqual(length);
  });
});

describe("the list of steps", () => {
  const time = (total: number) => ({ total_ms: total, queued_ms: 0, limited_ms: 0, running_ms: total, backing_off_ms: 0, waiting_ms: 0, ended_ms: 0 });

  test("says how long a step took, or takes until now, and nothing of one that never began", () => {
    expect(tookOf({ status: "succeeded", started_at: at(100), time: time(300) }, CREATED, 900)).toBe(300);
    expect(tookOf({ status: "failed", started_at: at(100), time: { ...time(300), ended_ms: 200 } }, CREATED, 900)).toBe(100);
    expect(tookOf({ status: "waiting", started_at: at(100), time: time(0) }, CREATED, 900)).toBe(800);
    expect(tookOf({ status: "skipped", started_at: null, time: time(0) }, CREATED, 900)).toBeUndefined();
    expect(tookOf({ status: "running", started_at: at(1000), time: null }, CREATED, 900)).toBe(0);
  });

  test("knows where the middle of a step lies, whatever the clocks of its workers say", () => {
    const attempts: Step["attempts"] = [];
    expect(middleOf({ status: "succeeded", started_at: at(100), time: time(200), attempts }, CREATED, 1000)).toBe(0.2);
    expect(middleOf({ status: "succeeded", started_at: at(2000), time: time(200), attempts }, CREATED, 1000)).toBe(1);
    expect(middleOf({ status: "pending", started_at: null, time: null, attempts }, CREATED, 1000)).toBeUndefined();
    const tries = [attempt(1, 100, 200), attempt(2, 900, 950)];
    expect(middleOf({ status: "succeeded", started_at: at(100), time: time(850), attempts: tries }, CREATED, 1000)).toBe(0.9);
  });

  test("is found through by words, and by what went wrong, be it only for a while", () => {
    const one = (id: string, more: Partial<Step> = {}) => ({ id, path: id, name: null, type: "http", status: "succeeded", attempts: [], items: null, ...more }) as unknown as Step;
    const steps = [
      one("charge", { name: "Charge the card", status: "failed" }),
      one("call", { attempts: [attempt(1, 0, 10, { status: "failed" }), attempt(2, 20, 30)] as Step["attempts"] }),
      one("each", { type: "foreach", items: { total: 3, done: 3, failed: 1 } }),
      one("ship", { type: "transform" }),
    ];
    const found = (text: string, isTroubled = false) => filterSteps(steps, { text, isTroubled }).map(({ id }) => id);
    expect(found("")).toEqual(["charge", "call", "each", "ship"]);
    expect(found(" CARD ")).toEqual(["charge"]);
    expect(found("transform")).toEqual(["ship"]);
    expect(found("nothing")).toEqual([]);
    expect(found("", true)).toEqual(["charge", "call", "each"]);
    expect(found("ca", true)).toEqual(["charge", "call"]);
  });
});

describe("the journal", () => {
  const event = (seq: number): RunEvent => ({ id: `e${seq}`, seq, type: "step.succeeded", at: CREATED, data: {} });
  const pages = (seqs: number[], next: string | null = null): EventPages => ({
    pages: [{ items: seqs.map(event), next_cursor: next }],
    pageParams: [null],
  });

  test("the next event is put at its end", () => {
    expect(appendEvent(pages([1, 2]), event(3))?.pages[0]?.items.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  test("one that is there already changes nothing", () => {
    const data = pages([1, 2]);
    expect(appendEvent(data, event(2))).toBe(data);
  });

  test("a gap means that it must be read anew", () => {
    expect(appendEvent(pages([1, 2]), event(4))).toBeUndefined();
  });

  test("a journal that is not read to its end is left alone", () => {
    const data = pages([1, 2], "2");
    expect(appendEvent(data, event(9))).toBe(data);
  });
});
