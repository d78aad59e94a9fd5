import { QueryClient, QueryClientProvider, useInfiniteQuery } from "@tanstack/react-query";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { ApiProblem } from "@/lib/problem";
import { Loaded, ShowMore } from "./loaded";

afterEach(cleanup);

const ASKED = { data: undefined as string | undefined, error: null as unknown, isPending: false, isFetching: false };

function show(asked: Partial<typeof ASKED>, refetch = vi.fn()) {
  render(<Loaded query={{ ...ASKED, ...asked, refetch }}>{(text) => <p>{text}</p>}</Loaded>);
  return refetch;
}

it("what came is shown, and nothing else", () => {
  show({ data: "all of it" });
  expect(screen.getByText("all of it")).toBeTruthy();
  expect(screen.queryByRole("alert")).toBeNull();
});

it("what was there stays where asking again fails, and is said to be old", () => {
  const refetch = show({ data: "of before", error: new Error("It is away.") });
  expect(screen.getByText("of before")).toBeTruthy();
  expect(screen.getByRole("alert").textContent).toContain("It is away.");
  screen.getByRole("button", { name: "Try again" }).click();
  expect(refetch).toHaveBeenCalledOnce();
});

it("why nothing came is told in its place", () => {
  const refetch = show({ error: new Error("It is away.") });
  expect(screen.getByRole("alert").textContent).toContain("It is away.");
  screen.getByRole("button", { name: "Try again" }).click();
  expect(refetch).toHaveBeenCalledOnce();
});

it("whom the role is taken from is not led to ask again", () => {
  const refused = new ApiProblem({ detail: "Your role does not hold it.", code: "missing_permission" }, new Response(null, { status: 403 }));
  show({ data: "of before", error: refused });
  expect(screen.getByRole("alert").textContent).toContain("Your role does not hold it.");
  expect(screen.queryByRole("button")).toBeNull();
  cleanup();
  show({ error: refused });
  expect(screen.getByText("Not for your role")).toBeTruthy();
  expect(screen.queryByRole("button")).toBeNull();
});

it("what is shown is not said to be old while it is read anew after a next page that did not come", () => {
  const failed = { ...ASKED, data: "the first page", error: new Error("It is away."), refetch: vi.fn() };
  const list = (query: typeof failed & { isFetchNextPageError?: boolean }) => <Loaded query={query}>{(text) => <p>{text}</p>}</Loaded>;
  const { rerender } = render(list({ ...failed, isFetchNextPageError: true }));
  rerender(list({ ...failed, isFetching: true }));
  expect(screen.queryByRole("alert")).toBeNull();
  // That it could not be read anew is another error.
  rerender(list({ ...failed, error: new Error("It is away, too.") }));
  expect(screen.getByRole("alert").textContent).toContain("This may be old: it could not be read anew. It is away, too.");
});

it("where a next page did not come, its end says so with the way to it, and what is shown is not said to be old", () => {
  const away = { error: new Error("It is away."), isFetchNextPageError: true };
  const fetchNextPage = vi.fn().mockResolvedValue({ isFetchNextPageError: false, error: null });
  const more = { hasNextPage: true, isFetchingNextPage: false, isFetchNextPageError: false, error: null, fetchNextPage };
  render(<Loaded query={{ ...ASKED, data: "the first page", ...away, refetch: vi.fn() }}>{(text) => <p>{text}</p>}</Loaded>);
  expect(screen.queryByRole("alert")).toBeNull();
  const { rerender } = render(<ShowMore query={more} of="things" />);
  expect(screen.getByRole("button", { name: "Show more things" })).toBeTruthy();
  rerender(<ShowMore query={{ ...more, ...away }} of="things" />);
  expect(screen.getByRole("alert").textContent).toContain("There is more, which could not be read. It is away.");
  screen.getByRole("button", { name: "Try again" }).click();
  expect(fetchNextPage).toHaveBeenCalledOnce();
});

/** A list of two pages, of which the second does not come while it is away. */
function List({ read }: { read: (cursor: string | null) => Promise<{ next_cursor: string | null }> }) {
  const query = useInfiniteQuery({
    queryKey: ["things"],
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
  });
  return (
    <>
      <p>{query.dataUpdatedAt}</p>
      <ShowMore query={query} />
    </>
  );
}

it("why a next page did not come stays to be read while the rest is read anew, until it comes", async () => {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const answer = { isAway: true };
  const read = vi.fn((cursor: string | null) => {
    if (cursor === null) return Promise.resolve({ next_cursor: "b" });
    return answer.isAway ? Promise.reject(new Error("It is away.")) : Promise.resolve({ next_cursor: null });
  });
  render(
    <QueryClientProvider client={client}>
      <List read={read} />
    </QueryClientProvider>,
  );
  fireEvent.click(await screen.findByRole("button", { name: "Show more" }));
  expect((await screen.findByRole("alert")).textContent).toContain("It is away.");
  // As live updates and intervals do it.
  await act(() => client.invalidateQueries({ queryKey: ["things"] }));
  expect(client.getQueryState(["things"])?.status).toBe("success");
  expect(screen.getByRole("alert").textContent).toContain("It is away.");
  answer.isAway = false;
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  await vi.waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
  expect(read.mock.calls.map(([cursor]) => cursor)).toEqual([null, "b", null, "b"]);
});
