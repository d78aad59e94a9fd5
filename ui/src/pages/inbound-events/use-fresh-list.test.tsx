import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, renderHook } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useHold } from "@/lib/hold";
import { receiptsKey } from "./api";
import type { InboundFilters } from "./filters";
import { useFreshList } from "./use-fresh-list";

const FILTERS: InboundFilters = { outcome: ["filtered"] };
/** Longer than the list goes without being asked for. */
const WHILE_MS = 15_000;

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  useHold.setState({ isHeld: false });
});

/** Whether the list is asked for anew within a while in which the stream tells of nothing. */
async function isAskedFor(hasPage = true): Promise<boolean> {
  const client = new QueryClient();
  const ask = vi.spyOn(client, "invalidateQueries");
  if (hasPage) client.setQueryData(receiptsKey(FILTERS), { pages: [{ items: [], next_cursor: null }], pageParams: [null] });
  const wrapper = ({ children }: { children: ReactNode }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>;
  renderHook(() => useFreshList(FILTERS), { wrapper });
  await vi.advanceTimersByTimeAsync(WHILE_MS);
  return ask.mock.calls.length > 0;
}

it("events that start no run come in by themselves, though the stream tells nothing of them", async () => {
  expect(await isAskedFor()).toBe(true);
});

it("nothing comes in while somebody holds what is shown", async () => {
  useHold.setState({ isHeld: true });
  expect(await isAskedFor()).toBe(false);
});

it("nothing comes in above whoever looks further down", async () => {
  vi.stubGlobal("scrollY", 500);
  expect(await isAskedFor()).toBe(false);
});

it("what could not be read at all is left to whoever tries again", async () => {
  expect(await isAskedFor(false)).toBe(false);
});
