import { describe, expect, it } from "vitest";
import { type Destination, findDestinations, moveIn } from "./destinations";

const to = (label: string): Destination => ({ id: label, label, icon: "runs", go: () => undefined });
const ALL = ["Dashboard", "Workflows", "Runs", "API keys", "Order fulfilment", "Refund an order"].map(to);

describe("where one may go", () => {
  it.each([
    ["", ["Dashboard", "Workflows", "Runs", "API keys", "Order fulfilment", "Refund an order"]],
    ["run", ["Runs"]],
    ["ORDER", ["Order fulfilment", "Refund an order"]],
    ["an order", ["Refund an order"]],
    ["order an", ["Refund an order"]],
    ["  keys ", ["API keys"]],
    ["nothing of it", []],
  ])("by %j is %j", (typed, labels) => {
    expect(findDestinations(ALL, typed).map(({ label }) => label)).toEqual(labels);
  });
});

describe("a key", () => {
  it.each([
    ["ArrowDown", 0, 1],
    ["ArrowDown", 2, 0],
    ["ArrowUp", 0, 2],
    ["Home", 2, 0],
    ["End", 0, 2],
    ["a", 1, 1],
    ["a", 7, 2],
  ])("%s at %i of three leads to %i", (key, at, next) => {
    expect(moveIn(3, at, key)).toBe(next);
  });

  it("leads nowhere where nothing is found", () => {
    expect(moveIn(0, 4, "ArrowDown")).toBe(0);
  });
});
