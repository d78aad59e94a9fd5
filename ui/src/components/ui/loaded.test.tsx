import { cleanup, render, screen } from "@testing-library/react";
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

it("where a next page did not come, its end says so with the way to it, and what is shown is not said to be old", () => {
  const away = { error: new Error("It is away."), isFetchNextPageError: true };
  const fetchNextPage = vi.fn();
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
