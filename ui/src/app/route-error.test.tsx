import { RouterProvider, createMemoryHistory, createRootRoute, createRouter } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiProblem } from "@/lib/problem";
import { RouteError } from "./route-error";

const PATIENCE = { timeout: 20_000 };
const GONE = new TypeError("Failed to fetch dynamically imported module: /assets/page.js");

let reload: ReturnType<typeof vi.fn>;
beforeEach(() => {
  reload = vi.spyOn(location, "reload").mockImplementation(() => undefined) as never;
  // React tells of every error that a page was replaced for.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

/** A page that fails as often as there are errors: before it begins, or as it is drawn. */
async function show({ before = [], within = [] }: { before?: Error[]; within?: Error[] }): Promise<void> {
  const root = createRootRoute({
    beforeLoad: () => {
      const error = before.shift();
      if (error !== undefined) throw error;
    },
    component: () => {
      // React draws it twice before it gives up.
      if (within[0] !== undefined) throw within[0];
      return <h1>The page</h1>;
    },
  });
  const router = createRouter({ routeTree: root, history: createMemoryHistory(), defaultErrorComponent: RouteError });
  render(<RouterProvider router={router as never} />);
  await screen.findByRole("alert", undefined, PATIENCE);
}

const button = () => screen.getByRole<HTMLButtonElement>("button", { name: "Try again" });

it("what the API has refused is asked for again", async () => {
  await show({ before: [new ApiProblem({ detail: "Too busy." }, new Response(null, { status: 503 }))] });
  screen.getByText("Too busy.");
  fireEvent.click(button());
  await screen.findByRole("heading", { name: "The page" }, PATIENCE);
  expect(reload).not.toHaveBeenCalled();
});

it("a page that the API's answer broke is drawn again", async () => {
  const within: Error[] = [new ApiProblem({ detail: "Too busy." }, new Response(null, { status: 503 }))];
  await show({ within });
  within.length = 0;
  fireEvent.click(button());
  await screen.findByRole("heading", { name: "The page" }, PATIENCE);
});

it("where a part of the app has not come, all of it is loaded anew once it is served, and it is said meanwhile that it is not", async () => {
  let answer: (response: Response) => void = () => undefined;
  vi.stubGlobal("fetch", () => new Promise<Response>((resolve) => (answer = resolve)));
  await show({ within: [GONE] });
  expect([button().disabled, screen.queryByText(/nobody answered/)]).toEqual([false, null]);
  fireEvent.click(button());
  await waitFor(() => expect(button().disabled).toBe(true), PATIENCE);
  answer(new Response(null, { status: 502 }));
  await screen.findByText(/^Tried again .*nobody answered\.$/, undefined, PATIENCE);
  expect([button().disabled, reload.mock.calls]).toEqual([false, []]);
  fireEvent.click(button());
  await waitFor(() => expect([button().disabled, screen.queryByText(/nobody answered/)]).toEqual([true, null]), PATIENCE);
  answer(new Response());
  await waitFor(() => expect(reload).toHaveBeenCalledOnce(), PATIENCE);
});
