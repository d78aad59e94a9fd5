import { QueryClient, QueryClientProvider, useInfiniteQuery } from "@tanstack/react-query";
import { act, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { useEffect } from "react";
import { expect, it, vi } from "vitest";
import { pagedQuery } from "./paged-query";
import { useNextPage } from "./use-next-page";

const FILTERS = {};
const KEY = ["things"];

/** A list at whose end somebody stands: whenever it may be, the next page is asked for. */
function standAtEnd(read: (cursor: string | null) => Promise<{ next_cursor: string | null }>) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const wrapper = ({ children }: { children: ReactNode }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>;
  const { result } = renderHook(
    () => {
      const query = useInfiniteQuery(pagedQuery({ queryKey: KEY, read: ({ cursor }) => read(cursor) }));
      const next = useNextPage(query, FILTERS);
      const { more } = next;
      useEffect(() => more?.(), [more, query.data]);
      return { query, next };
    },
    { wrapper },
  );
  return { client, result };
}

it("a next page that fails is asked for once, also where the list is read anew, and again when somebody says so", async () => {
  const answer = { isRefused: true };
  const second = vi.fn(async () => {
    // Long enough that it is seen to be on its way.
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (answer.isRefused) throw new Error("too much");
    return { next_cursor: null };
  });
  const { client, result } = standAtEnd((cursor) => (cursor === null ? Promise.resolve({ next_cursor: "b" }) : second()));
  await waitFor(() => expect(result.current.next.failure?.error).toEqual(new Error("too much")));

  // As live updates do it.
  act(() => void client.setQueryData(KEY, { pages: [{ next_cursor: "b", isNew: true }], pageParams: [null] }));
  await act(() => new Promise((resolve) => setTimeout(resolve, 200)));
  expect(second).toHaveBeenCalledTimes(1);

  answer.isRefused = false;
  act(() => result.current.next.failure?.onRetry());
  await waitFor(() => expect(result.current.query.data?.pages).toHaveLength(2));
  expect(second).toHaveBeenCalledTimes(2);
  await waitFor(() => expect(result.current.next).toEqual({ more: undefined, failure: undefined }));
});

it("pages that come are read to the last", async () => {
  const next: Record<string, string> = { "": "b", b: "c" };
  const { result } = standAtEnd((cursor) => Promise.resolve({ next_cursor: next[cursor ?? ""] ?? null }));
  await waitFor(() => expect(result.current.query.data?.pages).toHaveLength(3));
  expect(result.current.next).toEqual({ more: undefined, failure: undefined });
});
