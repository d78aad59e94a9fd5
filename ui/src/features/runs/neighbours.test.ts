import { QueryClient } from "@tanstack/react-query";
import { expect, test } from "vitest";
import { neighbourOf } from "./neighbours";

const listOf = (...pages: string[][]) => ({ pages: pages.map((ids) => ({ items: ids.map((id) => ({ id })) })) });

test("the next run and the one before are those of the list, over its pages", () => {
  const client = new QueryClient();
  client.setQueryData(["runs", {}], listOf(["c", "b"], ["a"]));
  expect([neighbourOf(client, "b", 1), neighbourOf(client, "b", -1)]).toEqual(["a", "c"]);
  expect([neighbourOf(client, "a", 1), neighbourOf(client, "c", -1), neighbourOf(client, "x", 1)]).toEqual([undefined, undefined, undefined]);
});

test("of several lists, the one that was read last counts", () => {
  const client = new QueryClient();
  client.setQueryData(["runs", { status: ["failed"] }], listOf(["d", "b"]), { updatedAt: 2 });
  client.setQueryData(["runs", {}], listOf(["d", "c", "b"]), { updatedAt: 1 });
  expect(neighbourOf(client, "d", 1)).toBe("b");
});
