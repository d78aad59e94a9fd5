import { QueryClient } from "@tanstack/react-query";
import { expect, it } from "vitest";
import { type PageAsked, pagedQuery } from "./paged-query";

it("the first page is short, those after it long, and each goes on where the one before ended", async () => {
  const asked: PageAsked[] = [];
  const query = pagedQuery({
    queryKey: ["things"],
    read: async (page) => {
      asked.push(page);
      return { items: [], next_cursor: asked.length < 3 ? `after ${asked.length}` : null };
    },
  });
  const data = await new QueryClient().fetchInfiniteQuery({ ...query, pages: 9 });
  expect(data.pages.length).toBe(3);
  expect(asked).toEqual([
    { limit: 100, cursor: null },
    { limit: 200, cursor: "after 1" },
    { limit: 200, cursor: "after 2" },
  ]);
});
