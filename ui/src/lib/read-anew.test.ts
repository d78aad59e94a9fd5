import { InfiniteQueryObserver, QueryClient } from "@tanstack/react-query";
import { expect, it, vi } from "vitest";
import { readAnew } from "./read-anew";

it("what is told meanwhile does not break off the next page that somebody has asked for, and is read after it", async () => {
  const queryClient = new QueryClient();
  const asked: (number | null)[] = [];
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const observer = new InfiniteQueryObserver(queryClient, {
    queryKey: ["things"],
    queryFn: async ({ pageParam }) => {
      asked.push(pageParam);
      if (pageParam === 1 && asked.length === 2) await held;
      return pageParam ?? 0;
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page + 1,
  });
  const leave = observer.subscribe(() => undefined);
  await vi.waitFor(() => expect(observer.getCurrentResult().data?.pages).toEqual([0]));
  const more = observer.fetchNextPage();
  const anew = readAnew(queryClient, ["things"]);
  release();
  expect((await more).data?.pages).toEqual([0, 1]);
  await anew;
  expect(asked).toEqual([null, 1, null, 1]);
  leave();
});
