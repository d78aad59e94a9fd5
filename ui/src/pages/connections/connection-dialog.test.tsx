import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import type { ConnectionDetail } from "./api";
import { ConnectionDialog } from "./connection-dialog";

const PATIENCE = { timeout: 20_000 };
const SHOP = {
  id: "c",
  name: "shop",
  type: "bearer",
  allowed_hosts: ["api.shop.example"],
  revision: 3,
  used_by: [{ workflow_id: "w", workflow_name: "Fetch orders", in_draft: true, in_published: true }],
  authorization: null,
} as unknown as ConnectionDetail;

let sent: { ifMatch: string | null; isForced: string | null; body: Record<string, unknown> }[];
beforeEach(() => {
  sent = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    const isForced = new URL(request.url).searchParams.get("force");
    sent.push({ ifMatch: request.headers.get("if-match"), isForced, body: (await request.json()) as Record<string, unknown> });
    if (isForced === "true") return Response.json({ code: "stale", detail: "It was changed." }, { status: 412 });
    return Response.json({ code: "connection_in_use", detail: "A workflow names it." }, { status: 409 });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const client = new QueryClient({ defaultOptions: { mutations: { networkMode: "always" } } });
const page = (connection: ConnectionDetail) => (
  <QueryClientProvider client={client}>
    <ConnectionDialog connection={connection} onClose={() => undefined} onSaved={() => undefined} />
  </QueryClientProvider>
);

it("another name is thought over where workflows know the old one, and is not saved over what somebody else has changed unseen", async () => {
  const { rerender } = render(page(SHOP));
  fireEvent.change(screen.getByLabelText("Name"), { target: { value: "store" } });
  // Somebody comes back to the page, which reads anew what is shown.
  rerender(page({ ...SHOP, allowed_hosts: ["theirs.example"], revision: 4 }));
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  const sure = await screen.findByRole("button", { name: "Rename it all the same" }, PATIENCE);
  expect(sure.className).toContain("text-failed");
  screen.getByText("Fetch orders");
  fireEvent.click(sure);
  await screen.findByText(/^Somebody has changed it meanwhile/, undefined, PATIENCE);
  const body = { name: "store", type: "bearer", allowed_hosts: ["api.shop.example"] };
  await waitFor(() =>
    expect(sent).toEqual([
      { ifMatch: '"3"', isForced: "false", body },
      { ifMatch: '"3"', isForced: "true", body },
    ]),
  );
});
