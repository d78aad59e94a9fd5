import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { meQuery } from "@/lib/me";
import type { Member } from "@/lib/people";
import { useSession } from "@/lib/session";
import { MemberTable } from "./member-table";

const PATIENCE = { timeout: 20_000 };
const MEMBERS: readonly Member[] = [
  { id: "1", name: "Ada", email: "ada@example.com", role: "owner", joined_at: "2026-01-01T00:00:00Z", last_seen_at: null },
  { id: "2", name: "Ben", email: "ben@example.com", role: "viewer", joined_at: "2026-01-01T00:00:00Z", last_seen_at: null },
];

let asked: string[];
let isAway: boolean;
beforeEach(() => {
  asked = [];
  isAway = false;
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.push(new URL(request.url).search);
    if (isAway) throw new TypeError("no connection");
    const [ada, ben] = MEMBERS;
    return Response.json({ items: [{ ...ada, last_seen_at: new Date(Date.now() - 7_200_000).toISOString() }, { ...ben, last_seen_at: null }], next_cursor: null });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

/** The table as somebody with these permissions sees it. */
function show(permissions: readonly string[]): void {
  const queryClient = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  queryClient.setQueryData<unknown>(meQuery.queryKey, { user: { id: "1" }, role: "owner", permissions });
  render(
    <QueryClientProvider client={queryClient}>
      <MemberTable members={MEMBERS} />
    </QueryClientProvider>,
  );
}

const row = (name: string) => within(screen.getByRole("row", { name: new RegExp(name) }));

it("admins read when each member was last seen", async () => {
  show(["members:write"]);
  // In a column, and in small below the name.
  await waitFor(() => expect(row("Ada").getAllByText(/2 hr\. ago/)).toHaveLength(2), PATIENCE);
  expect(row("Ben").getAllByText(/not lately/)).toHaveLength(2);
  expect(asked).toEqual(["?limit=200&last_seen=true"]);
});

it("nobody else asks for it", () => {
  show([]);
  expect(screen.queryByRole("columnheader", { name: "Last seen" })).toBeNull();
  expect(asked).toEqual([]);
});

it("where it does not come, the members stay to be read", async () => {
  isAway = true;
  show(["members:write"]);
  await waitFor(() => expect(row("Ben").getAllByText(/unknown/)).toHaveLength(2), PATIENCE);
});
