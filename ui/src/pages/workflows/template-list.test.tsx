import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, createMemoryHistory, createRootRoute, createRouter } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { Toasts } from "@/components/ui/toasts";
import { useSession } from "@/lib/session";
import { TemplateList } from "./template-list";
import { TEMPLATES } from "./templates";

const PATIENCE = { timeout: 20_000 };

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function Page() {
  return (
    <>
      <TemplateList />
      <Toasts />
    </>
  );
}

it("a template whose answer was lost is made again as the same one, also after another was asked for", async () => {
  const sent: [string, string | null][] = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    const { name } = (await request.json()) as { name: string };
    sent.push([name, request.headers.get("idempotency-key")]);
    throw new TypeError("the network is away");
  });
  const root = createRootRoute({ component: Page });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { mutations: { networkMode: "always" } } })}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  const names = TEMPLATES.slice(0, 2).map(({ name }) => name);
  for (const name of [...names, ...names]) {
    const button = await screen.findByRole<HTMLButtonElement>("button", { name: `Make it: ${name}` }, PATIENCE);
    await waitFor(() => expect(button.disabled).toBe(false), PATIENCE);
    fireEvent.click(button);
    // It is told that it was not made.
    const told = await screen.findByText(/ was not made\. /, undefined, PATIENCE);
    fireEvent.click(within(told.parentElement as HTMLElement).getByRole("button"));
  }
  expect(sent.map(([name]) => name)).toEqual([...names, ...names]);
  expect(sent.slice(2)).toEqual(sent.slice(0, 2));
});
