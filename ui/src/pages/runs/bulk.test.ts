import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { applyBulk, describeSkipped, toBulkFilter } from "./bulk";

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

  it.each([
    ["2026-11-27T11:00:00.000Z", "2026-11-27T11:00:00.000Z"],
    ["2026-11-27T13:00:00.000Z", "2026-11-27T12:00:42.000Z"],
  ])("is what lies between two moments, up to %s, and never what is created later", (to, until) => {
    const from = "2026-11-27T10:00:00.000Z";
    expect(toBulkFilter({ filters: { from, to } }, NOW)).toEqual({ ...NOTHING, since: from, until });
  });

  it("names no status where none is chosen", () => {
    expect("status" in toBulkFilter({ filters: {} }, NOW)).toBe(false);
  });

  it("is told with what it is not for", () => {
    expect(describeSkipped({ succeeded: 14, timed_out: 2 })).toBe("14 succeeded, 2 timed out");
    expect(describeSkipped({})).toBe("");
  });
});

describe("what is done to many runs", () => {
  const filter = toBulkFilter({ filters: { status: ["failed"] } }, NOW);
  /** The cursors of the calls, and what comes of each: so many, and where it goes on. */
  let cursors: (string | null)[];
  let answer: (call: number) => { done: number; next_cursor: string | null };

  beforeEach(() => {
    useSession.setState({ status: "anonymous" });
    cursors = [];
    vi.stubGlobal("fetch", async (request: Request) => {
      cursors.push(((await request.json()) as { cursor: string | null }).cursor);
      return new Response(JSON.stringify(answer(cursors.length)), { status: 200, headers: { "content-type": "application/json" } });
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  /** Begin, with what hears how far it has come and may end it. */
  function apply(told: (done: number, ends: { stop: AbortController; gone: AbortController }) => void) {
    const ends = { stop: new AbortController(), gone: new AbortController() };
    return applyBulk("cancel", filter, { stop: ends.stop.signal, gone: ends.gone.signal, onProgress: (done) => told(done, ends) });
  }

  it("goes on until all are through", async () => {
    answer = (call) => ({ done: 2, next_cursor: call < 3 ? `c${call}` : null });
    const told: number[] = [];
    expect(await apply((done) => told.push(done))).toEqual({ done: 6, isWhole: true });
    expect(told).toEqual([2, 4, 6]);
    expect(cursors).toEqual([null, "c1", "c2"]);
  });

  it("is stopped after the call that is under way, whose runs are counted", async () => {
    answer = (call) => ({ done: 2, next_cursor: `c${call}` });
    const work = apply((done, { stop }) => {
      if (done === 4) stop.abort();
    });
    expect(await work).toEqual({ done: 4, isWhole: false });
    expect(cursors).toEqual([null, "c1"]);
  });

  it("is whole where it was stopped in the last call", async () => {
    answer = () => ({ done: 2, next_cursor: null });
    expect(await apply((_, { stop }) => stop.abort())).toEqual({ done: 2, isWhole: true });
  });

  it("has no further call once nobody waits for it", async () => {
    answer = (call) => ({ done: 2, next_cursor: `c${call}` });
    await expect(apply((_, { gone }) => gone.abort())).rejects.toThrow();
    expect(cursors).toEqual([null]);
  });
});
