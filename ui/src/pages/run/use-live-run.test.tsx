import { InfiniteQueryObserver, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { eventsKey } from "./api";
import { useLiveRun } from "./use-live-run";

const RUN = "01a21a4f-3d41-7000-8000-000000000001";
/** Longer than the run rests between two readings. */
const WHILE_MS = 1_000;

let stream: ReadableStreamDefaultController<Uint8Array>;
beforeEach(() => {
  vi.useFakeTimers();
  useSession.setState({ status: "anonymous" });
  const body = () => new ReadableStream<Uint8Array>({ start: (controller) => void (stream = controller) });
  vi.stubGlobal("fetch", (request: Request) => {
    // Who listens no more lets go of all that is watched meanwhile.
    request.signal.addEventListener("abort", () => stream.error(new DOMException("aborted", "AbortError")));
    return Promise.resolve(new Response(body()));
  });
});
afterEach(async () => {
  cleanup();
  await vi.advanceTimersByTimeAsync(0);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Tell of an event before which others were missed. */
function tell(seq: number): void {
  const event = { seq, type: "step.succeeded", data: {} };
  stream.enqueue(new TextEncoder().encode(`id: ${seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`));
}

it.each([
  ["items", ["run", RUN, "items", "each"]],
  ["events", eventsKey(RUN)],
])("what a run tells breaks off no next page of its %s that somebody has asked for, and has it read after that", async (_, queryKey) => {
  const queryClient = new QueryClient();
  const asked: number[] = [];
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const observer = new InfiniteQueryObserver(queryClient, {
    queryKey,
    queryFn: async ({ pageParam }) => {
      asked.push(pageParam);
      if (asked.length === 2) await held;
      return { items: [], next_cursor: pageParam + 1 };
    },
    initialPageParam: 0,
    getNextPageParam: (page) => page.next_cursor,
  });
  const leave = observer.subscribe(() => undefined);
  const wrapper = ({ children }: { children: ReactNode }) => <QueryClientProvider client={queryClient}>{children}</QueryClientProvider>;
  renderHook(() => useLiveRun(RUN, true), { wrapper });
  await vi.advanceTimersByTimeAsync(WHILE_MS);
  const more = observer.fetchNextPage();
  tell(7);
  await vi.advanceTimersByTimeAsync(WHILE_MS);
  release();
  await vi.advanceTimersByTimeAsync(WHILE_MS);
  expect((await more).data?.pages).toHaveLength(2);
  expect(asked).toEqual([0, 1, 0, 1]);
  leave();
});
