import { QueryClient, QueryClientProvider, useInfiniteQuery } from "@tanstack/react-query";
import { act, cleanup, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useLive } from "@/lib/live";
import { useSession } from "@/lib/session";
import { runsQuery } from "./api";
import type { RunFilters } from "./filters";
import { useLiveRuns } from "./use-live-runs";

const FILTERS: RunFilters = { status: ["failed"] };
/** Longer than the list goes without being asked for. */
const WHILE_MS = 20_000;

let isReachable: boolean;
let calls: number;

beforeEach(() => {
  vi.useFakeTimers();
  useSession.setState({ status: "anonymous" });
  useLive.setState({ status: "paused" });
  calls = 0;
  vi.stubGlobal("fetch", async () => {
    calls += 1;
    if (!isReachable) throw new TypeError("nobody answers");
    return new Response(JSON.stringify({ items: [], next_cursor: null }), { headers: { "content-type": "application/json" } });
  });
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  useLive.setState({ status: "connecting" });
});

/** The list after a while in which the stream is away, and all that it was said to be from then on. */
async function showPaused() {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, networkMode: "always" } } });
  const said: string[] = [];
  const wrapper = ({ children }: { children: ReactNode }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>;
  const { result } = renderHook(
    () => {
      useLiveRuns(FILTERS);
      const query = useInfiniteQuery(runsQuery(FILTERS));
      said.push(query.status);
      return query;
    },
    { wrapper },
  );
  const wait = () => act(() => vi.advanceTimersByTimeAsync(WHILE_MS));
  await wait();
  return { result, said, wait };
}

it("while the stream is away, the list is asked for all the same", async () => {
  isReachable = true;
  const { result } = await showPaused();
  expect(calls).toBeGreaterThan(2);
  expect(result.current.status).toBe("success");
});

it("why it cannot be read stays to be read while the stream is away, until that is back", async () => {
  isReachable = false;
  const { result, said, wait } = await showPaused();
  expect(said.slice(said.indexOf("error"))).not.toContain("pending");
  expect(result.current.status).toBe("error");
  expect(calls).toBe(1);
  isReachable = true;
  act(() => useLive.setState({ status: "open" }));
  await wait();
  expect(result.current.status).toBe("success");
  expect(calls).toBe(2);
});
