import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, createMemoryHistory, createRootRoute, createRouter } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "@/components/ui/toasts";
import type { Trigger } from "@/features/triggers/trigger";
import { meQuery } from "@/lib/me";
import { useSession } from "@/lib/session";
import { TriggerCard } from "./trigger-card";

const PATIENCE = { timeout: 20_000 };
const TRIGGER = {
  id: "t",
  workflow_id: "w",
  type: "webhook",
  enabled: true,
  config: { auth: { type: "token" } },
  url: "http://127.0.0.1/v1/hooks/abc",
  needs_secret: false,
  has_secret: true,
  previous_secret_until: null,
  schedule: null,
} as unknown as Trigger;

/** What was to be rotated, and the key that it had; no answer ever comes back. */
let sent: [string, string | null][];
beforeEach(() => {
  sent = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    const { what } = (await request.json()) as { what: string };
    sent.push([what, request.headers.get("idempotency-key")]);
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
      <TriggerCard trigger={TRIGGER} />
      <Toasts />
    </>
  );
}

async function choose(item: string, verb: string): Promise<void> {
  fireEvent.keyDown(await screen.findByRole("button", { name: /^Actions for/ }, PATIENCE), { key: "Enter" });
  fireEvent.click(await screen.findByRole("menuitem", { name: item }, PATIENCE));
  fireEvent.click(await screen.findByRole("button", { name: verb }, PATIENCE));
  // It is told that it was not done.
  const told = await screen.findByText(/ was not changed\. /, undefined, PATIENCE);
  fireEvent.click(within(told.parentElement as HTMLElement).getByRole("button", { hidden: true }));
}

it("a new address whose answer was lost is asked for again as the same one, also after a new secret was asked for", async () => {
  const queryClient = new QueryClient({ defaultOptions: { queries: { enabled: false }, mutations: { networkMode: "always" } } });
  queryClient.setQueryData(meQuery.queryKey, { permissions: ["triggers:write"] } as never);
  const root = createRootRoute({ component: Page });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  for (let time = 0; time < 2; time += 1) {
    await choose("New address", "New address");
    await choose("Rotate the secret", "Rotate");
  }
  const [url, secret, urlAgain, secretAgain] = sent;
  expect([url?.[0], secret?.[0]]).toEqual(["url", "secret"]);
  expect([urlAgain, secretAgain]).toEqual([url, secret]);
  expect(new Set(sent.map(([, key]) => key)).size).toBe(2);
});
