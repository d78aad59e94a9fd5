import { expect, test } from "vitest";
import { tellStep } from "./words";

const STEPS = [
  { id: "read", type: "transform" },
  { id: "charge", type: "http", name: "Charge the card" },
];

test.each([
  ["one that has ended, with how long it took", "charge", { status: "succeeded", port: null, right: "418 ms" }, "Charge the card, http, step 2 of 2, succeeded, 418 ms"],
  ["one without a name by its id", "read", { status: "running", port: null, right: undefined }, "read, transform, step 1 of 2, running"],
  ["one of which nothing is known yet", "read", undefined, "read, transform, step 1 of 2, not begun"],
  ["one that is not there not at all", "gone", undefined, ""],
  ["none where none is chosen", undefined, undefined, ""],
] as const)("a step is told: %s", (_, id, mark, expected) => {
  expect(tellStep(STEPS, id, mark)).toBe(expected);
});
