import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { MakeKey } from "./make-key";

const PATIENCE = { timeout: 20_000 };

let sent: { key: string | null; body: { name: string; expires_at: string } }[];
let isReachable: boolean;

beforeEach(() => {
  sent = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push({ key: request.headers.get("idempotency-key"), body: await request.json() });
    if (!isReachable) throw new TypeError("the network is away");
    const made = { id: "k", name: "ci", role: "viewer", secret: "ff_secret" }; // pragma: allowlist secret
    return Response.json(made, { status: 201 });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

it("a key whose answer was lost is asked for again as the same one, with the same end", async () => {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { mutations: { networkMode: "always" } } })}>
      <MakeKey mine="viewer" />
    </QueryClientProvider>,
  );
  fireEvent.click(screen.getByRole("button", { name: "New key" }));
  fireEvent.change(screen.getByLabelText(/^Name/), { target: { value: "ci" } });
  isReachable = false;
  fireEvent.click(screen.getByRole("button", { name: "Make the key" }));
  await screen.findByText(/^FlowForge does not answer/, undefined, PATIENCE);
  isReachable = true;
  // A while later, when it would end later, too.
  vi.spyOn(Date, "now").mockReturnValue(Date.now() + 60_000);
  fireEvent.click(screen.getByRole("button", { name: "Make the key" }));
  await screen.findByText("ff_secret", undefined, PATIENCE);
  expect(sent.length).toBe(2);
  expect(sent[0]?.key).toMatch(/^[0-9a-f]{32}$/);
  expect(sent[1]).toEqual(sent[0]);
});
