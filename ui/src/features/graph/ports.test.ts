import { expect, test } from "vitest";
import { edgesOf } from "./layout";
import { labelsOf } from "./ports";

const labels = (...after: string[]) => labelsOf(edgesOf([{ id: "route" }, { id: "check" }, { id: "next", after }])).get("next");

test("a port is named at the step that it leads to", () => {
  expect(labels("route.large")).toEqual({ text: "large", whole: undefined });
  expect(labels("route")).toBeUndefined();
});

test("a name that is longer than there is room for is cut, and told as a whole besides", () => {
  const name = "orders_from_abroad_by_express";
  expect(labels(`route.${name}`)).toEqual({ text: "orders_from_abroad_…", whole: name });
  expect(labels(`route.${"n".repeat(20)}`)).toEqual({ text: "n".repeat(20), whole: undefined });
});

test("ports that lead to one step have one label, which tells them apart by their steps where those are several", () => {
  expect(labels("route.small", "route.large", "check")).toEqual({ text: "small, large", whole: undefined });
  expect(labels("route.error", "check.error")).toEqual({ text: "error", whole: "route.error, check.error" });
});
