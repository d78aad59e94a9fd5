import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Outlet, RouterProvider, createMemoryHistory, createRootRoute, createRoute, createRouter, useBlocker } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "@/components/ui/toasts";
import { WorkflowMenu } from "@/features/workflows/workflow-menu";
import { meQuery } from "@/lib/me";
import { useSession } from "@/lib/session";
import type { Detail } from "./api";
import { RunButton } from "./run-button";
import { TestButton } from "./test-button";

const PATIENCE = { timeout: 20_000 };
const RUN = "01a21a4f-3d41-7000-8000-000000000009";
const WORKFLOW = { id: "w", name: "Orders", enabled: true, published_version: 3, revision: 5, problems: [] } as unknown as Detail;

let sent: { path: string; body: string }[];
beforeEach(() => {
  sent = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push({ path: new URL(request.url).pathname, body: await request.text() });
    return Response.json({ run_id: RUN }, { status: 202 });
  });
});
afterEach(() => {
  for (const button of screen.queryAllByRole("button", { name: "Dismiss" })) fireEvent.click(button);
  cleanup();
  vi.unstubAllGlobals();
});

/** The page of a workflow, where whoever is asked about what is unsaved stays. */
async function show({ isUnsaved }: { isUnsaved: boolean }): Promise<void> {
  const queryClient = new QueryClient({ defaultOptions: { queries: { enabled: false } } });
  queryClient.setQueryData(meQuery.queryKey, { permissions: ["runs:start"] } as never);
  const Page = () => {
    useBlocker({ shouldBlockFn: () => isUnsaved, enableBeforeUnload: false });
    return (
      <>
        <RunButton workflow={WORKFLOW} />
        <TestButton workflow={WORKFLOW} isUnsaved={false} />
        <WorkflowMenu workflow={WORKFLOW} />
      </>
    );
  };
  const root = createRootRoute({ component: Root });
  const workflow = createRoute({ getParentRoute: () => root, path: "/", component: Page });
  const run = createRoute({ getParentRoute: () => root, path: "/runs/$runId", component: () => <h1>The run</h1> });
  const router = createRouter({ routeTree: root.addChildren([workflow, run]), history: createMemoryHistory() });
  render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  await screen.findByRole("button", { name: "Run" }, PATIENCE);
}

function Root() {
  return (
    <>
      <Outlet />
      <Toasts />
    </>
  );
}

const hrefs = () => screen.queryAllByRole("link", { name: "Show it", hidden: true }).map((link) => link.getAttribute("href"));
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

it.each([
  ["Run", "Run version 3", "/v1/workflows/w/runs", "A run of Orders has begun."],
  ["Test draft…", "Test it", "/v1/workflows/w/test", "A test of Orders has begun."],
])("%s sends the input as it was typed, and leads to the run", async (button, verb, path, told) => {
  await show({ isUnsaved: false });
  press(button);
  fireEvent.change(screen.getByLabelText("Input"), { target: { value: '{"id": 9007199254740993, "rate": 1.0}' } });
  press(verb);
  await screen.findByRole("heading", { name: "The run" }, PATIENCE);
  expect(sent).toEqual([{ path, body: '{"input": {"id": 9007199254740993, "rate": 1.0}}' }]);
  screen.getByText(new RegExp(`^${told}`));
});

it("whoever stays for something unsaved reads that a run has begun, and finds it", async () => {
  await show({ isUnsaved: true });
  press("Run");
  press("Run version 3");
  const link = await screen.findByRole("link", { name: "Show it" }, PATIENCE);
  expect(link.getAttribute("href")).toBe(`/runs/${RUN}`);
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull(), PATIENCE);
  expect(screen.queryByRole("heading", { name: "The run" })).toBeNull();
  // The next run is not held up by the navigation that never ends.
  press("Run");
  expect(screen.getByRole("button", { name: "Run version 3" })).toHaveProperty("disabled", false);
});

it("so does whoever starts it from the menu", async () => {
  await show({ isUnsaved: true });
  for (const id of [RUN, RUN.replace("9", "8")]) {
    vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ run_id: id }, { status: 202 })));
    fireEvent.keyDown(screen.getByRole("button", { name: "Actions for Orders" }), { key: "Enter" });
    fireEvent.click(await screen.findByRole("menuitem", { name: "Run" }, PATIENCE));
    await waitFor(() => expect(hrefs()).toContain(`/runs/${id}`), PATIENCE);
  }
});
