import { InfiniteQueryObserver, QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, expect, it, vi } from "vitest";
import { readAnew } from "./read-anew";

const leaves: (() => void)[] = [];
afterEach(() => {
  for (const leave of leaves.splice(0)) leave();
});

/** What the next answer waits for. */
function hold() {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { held, release };
}

/** Things by pages, with the pages that were asked for; the second time, the answer is held. */
function showPages(queryClient: QueryClient) {
  const asked: (number | null)[] = [];
  const { held, release } = hold();
  const observer = new InfiniteQueryObserver(queryClient, {
    queryKey: ["things", "pages"],
    queryFn: async ({ pageParam }) => {
      asked.push(pageParam);
      if (asked.length === 2) await held;
      return pageParam ?? 0;
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page + 1,
  });
  leaves.push(observer.subscribe(() => undefined));
  return { observer, asked, release };
}

/** How many things there are, and how often that was asked for; these times, the answer is held. */
function showCount(queryClient: QueryClient, ...heldTimes: number[]) {
  const told = { asked: 0, broken: 0 };
  const { held, release } = hold();
  const observer = new QueryObserver(queryClient, {
    queryKey: ["things", "count"],
    queryFn: async ({ signal }) => {
      told.asked += 1;
      const time = told.asked;
      signal.addEventListener("abort", () => (told.broken += 1));
      if (heldTimes.includes(time)) await held;
      return time;
    },
  });
  leaves.push(observer.subscribe(() => undefined));
  return { observer, told, release };
}

it("what is told meanwhile does not break off the next page that somebody has asked for, and is read after it", async () => {
  const queryClient = new QueryClient();
  const { observer, asked, release } = showPages(queryClient);
  await vi.waitFor(() => expect(observer.getCurrentResult().data?.pages).toEqual([0]));
  const more = observer.fetchNextPage();
  const anew = readAnew(queryClient, ["things"]);
  release();
  expect((await more).data?.pages).toEqual([0, 1]);
  await anew;
  await vi.waitFor(() => expect(asked).toEqual([null, 1, null, 1]));
});

it("a next page that does not come holds up nothing else", async () => {
  const queryClient = new QueryClient();
  const { observer } = showPages(queryClient);
  const { told } = showCount(queryClient);
  await vi.waitFor(() => expect([observer.getCurrentResult().data?.pages, told.asked]).toEqual([[0], 1]));
  void observer.fetchNextPage();
  await readAnew(queryClient, ["things"]);
  await readAnew(queryClient, ["things"]);
  expect(told).toEqual({ asked: 3, broken: 0 });
});

it("a next page that is on its way has nothing else read twice", async () => {
  const queryClient = new QueryClient();
  const { observer, release } = showPages(queryClient);
  const { told } = showCount(queryClient);
  await vi.waitFor(() => expect([observer.getCurrentResult().data?.pages, told.asked]).toEqual([[0], 1]));
  void observer.fetchNextPage();
  const anew = readAnew(queryClient, ["things"]);
  release();
  await anew;
  expect(told.asked).toBe(2);
});

it("what comes for the first time may be older than what was told: it is shown, and read once more", async () => {
  const queryClient = new QueryClient();
  const { observer, told, release } = showCount(queryClient, 1);
  const anew = readAnew(queryClient, ["things"]);
  release();
  await anew;
  await vi.waitFor(() => expect([observer.getCurrentResult().data, told]).toEqual([2, { asked: 2, broken: 0 }]));
});

it("what was asked for by nobody does not hold up what was told, be it that it never comes", async () => {
  const queryClient = new QueryClient();
  const { observer, told } = showCount(queryClient, 2);
  await vi.waitFor(() => expect(observer.getCurrentResult().data).toBe(1));
  void readAnew(queryClient, ["things"]);
  await vi.waitFor(() => expect(told.asked).toBe(2));
  await readAnew(queryClient, ["things"]);
  expect([observer.getCurrentResult().data, told]).toEqual([3, { asked: 3, broken: 1 }]);
});
