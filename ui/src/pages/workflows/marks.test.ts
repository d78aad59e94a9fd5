import { describe, expect, it } from "vitest";
import { STATUS_LOOKS, TONES } from "@/lib/status";
import { MARK_SHAPES, describeRuns } from "./marks";

describe("the marks of the last runs", () => {
  it.each([
    [[], "No runs yet"],
    [["failed"], "The last run: 1 failed"],
    [["failed", "succeeded", "succeeded", "timed_out"], "The last 4 runs, the newest first: 1 failed, 2 succeeded, 1 timed out"],
  ] as const)("of %j say %s", (statuses, text) => {
    expect(describeRuns(statuses)).toBe(text);
  });

  it("tell a failure from a success without a colour", () => {
    const looks = TONES.map((tone) => `${MARK_SHAPES[tone].height} ${MARK_SHAPES[tone].look.includes("fill-none")}`);
    expect(MARK_SHAPES[STATUS_LOOKS.failed.tone].height).toBeGreaterThan(MARK_SHAPES[STATUS_LOOKS.succeeded.tone].height);
    expect(new Set(looks).size).toBeGreaterThanOrEqual(5);
  });
});
