import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, createMemoryHistory, createRootRoute, createRouter } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "@/components/ui/toasts";
import { meQuery } from "@/lib/me";
import { useSession } from "@/lib/session";
import type { Known } from "./api";
import { WorkflowMenu } from "./workflow-menu";

const PATIENCE = { timeout: 20_000 };
const WORKFLOW: Known = { id: "w", name: "Orders", enabled: true, revision: 5, published_version: 3 };

/** Where what was to be done came, and the key that it had; no answer ever comes back. */
let sent: [string, string | null][];
beforeEach(() => {
  sent = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    if (request.method === "GET") return Response.json({ id: "w", name: "Orders", description: "", definition: {} });
    sent.push([new URL(request.url).pathname, request.headers.get("idempotency-key")]);
    throw new TypeError("the network is away");
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function Page() {
  return (
    <>
      <WorkflowMenu workflow={WORKFLOW} />
      <Toasts />
    </>
  );
}

async function show(): Promise<void> {
  const queryClient = new QueryClient({ defaultOptions: { queries: { enabled: false }, mutations: { networkMode: "always" } } });
  queryClient.setQueryData(meQuery.queryKey, { permissions: ["runs:start", "workflows:write", "workflows:delete"] } as never);
  const root = createRootRoute({ component: Page });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  await screen.findByRole("button", { name: "Actions for Orders" }, PATIENCE);
}

/** Read that it was not done, and put that away. */
async function dismiss(): Promise<void> {
  const told = await screen.findByText(/^Orders was not/, undefined, PATIENCE);
  fireEvent.click(within(told.parentElement as HTMLElement).getByRole("button", { hidden: true }));
}

async function choose(name: string): Promise<void> {
  fireEvent.keyDown(screen.getByRole("button", { name: "Actions for Orders" }), { key: "Enter" });
  fireEvent.click(await screen.findByRole("menuitem", { name }, PATIENCE));
  await dismiss();
}

it("a run whose answer was lost is asked for again as the same one, also after a copy was asked for", async () => {
  await show();
  for (const name of ["Run", "Duplicate", "Run", "Duplicate"]) await choose(name);
  const [run, copy, runAgain, copyAgain] = sent;
  expect(run?.[0]).toBe("/v1/workflows/w/runs");
  expect(copy?.[0]).toBe("/v1/workflows");
  expect([runAgain, copyAgain]).toEqual([run, copy]);
  expect(new Set(sent.map(([, key]) => key)).size).toBe(2);
});

it("a workflow is deleted once somebody has been asked", async () => {
  await show();
  fireEvent.keyDown(screen.getByRole("button", { name: "Actions for Orders" }), { key: "Enter" });
  fireEvent.click(await screen.findByRole("menuitem", { name: "Delete" }, PATIENCE));
  const dialog = await screen.findByRole("dialog", { name: "Delete Orders?" }, PATIENCE);
  expect([...dialog.querySelectorAll("button")].map(({ textContent }) => textContent)).toEqual(["", "Keep it", "Delete"]);
  expect(sent).toEqual([]);
  fireEvent.click(screen.getByRole("button", { name: "Delete" }));
  await dismiss();
  expect(sent).toEqual([["/v1/workflows/w", null]]);
});
