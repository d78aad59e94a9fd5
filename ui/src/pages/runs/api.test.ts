import { describe, expect, it } from "vitest";
import type { LiveEvent } from "@/lib/live";
import { type Run, type RunPages, lastBeforeMore, patchRuns } from "./api";

const AT = "2026-11-27T12:00:00Z";

function run(id: string, more: Partial<Run> = {}): Run {
  return {
    id,
    workflow_id: "w",
    workflow_name: "Orders",
    version: 1,
    status: "queued",
    attempt: 1,
    trigger_type: "webhook",
    is_test: false,
    error: null,
    created_at: AT,
    started_at: null,
    finished_at: null,
    ...more,
  };
}

function event(run_id: string, type: string, status: string): LiveEvent {
  return { run_id, type, status, workflow_id: "w", seq: 1, at: AT };
}

const pages: RunPages = {
  pages: [
    { items: [run("c"), run("b")], next_cursor: "2" },
    { items: [run("a")], next_cursor: null },
  ],
  pageParams: [null, "2"],
};

const statuses = (data: RunPages) => data.pages.flatMap((page) => page.items.map((one) => one.status));

describe("rows that follow the stream", () => {
  it("change in their places", () => {
    const { data, strangers } = patchRuns(pages, [event("b", "run.started", "running"), event("a", "run.failed", "failed")]);
    expect(statuses(data)).toEqual(["queued", "running", "failed"]);
    expect(data.pages[0]?.items[1]).toMatchObject({ started_at: AT, finished_at: null });
    expect(data.pages[1]?.items[0]?.finished_at).toBe(AT);
    expect(strangers).toEqual([]);
  });

  it("take the last of several events", () => {
    const { data } = patchRuns(pages, [event("c", "run.started", "running"), event("c", "run.succeeded", "succeeded")]);
    expect(statuses(data)[0]).toBe("succeeded");
  });

  it("are the same object where nothing concerns them", () => {
    expect(patchRuns(pages, [event("z", "run.succeeded", "succeeded")]).data).toBe(pages);
  });

  it("keep their status where the stream tells one that is unknown here", () => {
    expect(statuses(patchRuns(pages, [event("c", "run.frozen", "frozen")]).data)[0]).toBe("queued");
  });

  it("leave what is told of other runs to be counted", () => {
    const events = [event("y", "run.queued", "queued"), event("b", "run.started", "running"), event("z", "run.queued", "queued")];
    expect(patchRuns(pages, events).strangers.map(({ run_id }) => run_id)).toEqual(["y", "z"]);
  });
});

it("the last row that was read tells where more begin, where there are any", () => {
  expect(lastBeforeMore(pages)).toBeUndefined();
  expect(lastBeforeMore({ pages: pages.pages.slice(0, 1), pageParams: [null] })).toBe("b");
});
