import { expect, test } from "vitest";
import { type Mark, createMarks, isTaken, putMarks } from "./marks";

function mark(status: Mark["status"], port: string | null = null): Mark {
  return { status, port, right: undefined };
}

test.each([
  ["a success goes on", mark("succeeded"), undefined, true],
  ["a success leaves the error track alone", mark("succeeded"), "error", false],
  ["a failure takes the error track", mark("failed"), "error", true],
  ["a failure does not go on", mark("failed"), undefined, false],
  ["a condition takes its port", mark("succeeded", "true"), "true", true],
  ["a condition leaves the other", mark("succeeded", "true"), "false", false],
  ["an approval goes on", mark("succeeded", "approved"), undefined, true],
  ["a rejection does not go on", mark("succeeded", "rejected"), undefined, false],
  ["a rejection takes its port", mark("succeeded", "rejected"), "rejected", true],
  ["a skipped step takes nothing", mark("skipped"), "error", false],
  ["what runs has not decided", mark("running"), undefined, undefined],
  ["what has not begun has not decided", undefined, undefined, undefined],
])("%s", (_, source, port, expected) => {
  expect(isTaken(source, port)).toBe(expected);
});

test("marks that say the same stay the same objects", () => {
  const store = createMarks();
  putMarks(store, { a: mark("running"), b: mark("pending") });
  const before = store.getState().marks;
  putMarks(store, { a: mark("running"), b: mark("running") });
  const after = store.getState().marks;
  expect(after["a"]).toBe(before["a"]);
  expect(after["b"]?.status).toBe("running");
});
