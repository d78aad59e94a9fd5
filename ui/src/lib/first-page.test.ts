import { QueryClient } from "@tanstack/react-query";
import { expect, it } from "vitest";
import { readFirstPage } from "./first-page";

it("the first page of a list is read again, and those after it are dropped", async () => {
  const client = new QueryClient();
  client.setQueryData(["things", {}], { pages: ["first", "second"], pageParams: [null, "2"] });
  client.setQueryData(["others", {}], { pages: ["first", "second"], pageParams: [null, "2"] });
  await readFirstPage(client, ["things", {}]);
  expect(client.getQueryData(["things", {}])).toEqual({ pages: ["first"], pageParams: [null] });
  expect(client.getQueryState(["things", {}])?.isInvalidated).toBe(true);
  expect(client.getQueryState(["others", {}])?.isInvalidated).toBe(false);
});

it("a list that was never read stays unread", async () => {
  const client = new QueryClient();
  await readFirstPage(client, ["things", {}]);
  expect(client.getQueryData(["things", {}])).toBeUndefined();
});
