import { expect, it } from "vitest";
import type { Run } from "@/features/runs/run";
import { RUN_STATUSES } from "@/lib/status";
import { loopQuery } from "./api";
import { pauseOf } from "./compared-run";

const run = (id: string, status: Run["status"]) => ({ id, status }) as Run;

it("a run is asked for again until it has ended", () => {
  const asked = RUN_STATUSES.filter((status) => pauseOf({ status }) !== false);
  expect(asked).toEqual(["queued", "running", "waiting"]);
  expect(pauseOf(undefined)).toBe(false);
});

it("the items of loops are compared anew once both runs have ended, and then no more", () => {
  const before = loopQuery(run("a", "succeeded"), run("b", "running"), "each");
  const after = loopQuery(run("a", "succeeded"), run("b", "failed"), "each");
  expect(after.queryKey).not.toEqual(before.queryKey);
  expect([before.staleTime, after.staleTime]).toEqual([undefined, Number.POSITIVE_INFINITY]);
});
