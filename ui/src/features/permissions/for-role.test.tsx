import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { ForRole } from "./for-role";

const PATIENCE = { timeout: 20_000 };
const WHY = "It takes an admin to read the audit log.";

/** What is asked of the server waits for the test's answer. */
let answers: ((response: Response) => void)[];
beforeEach(() => {
  useSession.setState({ status: "anonymous" });
  answers = [];
  vi.stubGlobal("fetch", () => new Promise<Response>((resolve) => answers.push(resolve)));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function show(): void {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <ForRole permission="audit:read" why={WHY}>
        <p>All entries</p>
      </ForRole>
    </QueryClientProvider>,
  );
}

/** Answer the next call for who is signed in. */
async function answer(status: number, body: unknown): Promise<void> {
  await waitFor(() => expect(answers.length).toBeGreaterThan(0), PATIENCE);
  answers.shift()?.(new Response(JSON.stringify(body), { status }));
}

const ME = { user: { id: "u" }, workspace: { id: "w", name: "Main" } };

it("a page says that it is on its way until it is known who is signed in", async () => {
  show();
  await screen.findByRole("status", { name: "Loading" }, PATIENCE);
  await answer(200, { ...ME, role: "admin", permissions: ["audit:read"] });
  await screen.findByText("All entries", undefined, PATIENCE);
  expect(screen.queryByRole("status")).toBeNull();
});

it("where that cannot be read, the page says why, and asks again", async () => {
  show();
  await answer(500, { detail: "It is broken.", code: "internal" });
  expect((await screen.findByRole("alert", undefined, PATIENCE)).textContent).toContain("It is broken.");
  expect(screen.queryByText("All entries")).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Try again" }));
  await answer(200, { ...ME, role: "admin", permissions: ["audit:read"] });
  await screen.findByText("All entries", undefined, PATIENCE);
});

it("whose role it is not for reads which one it takes", async () => {
  show();
  await answer(200, { ...ME, role: "viewer", permissions: [] });
  await screen.findByText(`${WHY} You are viewer.`, undefined, PATIENCE);
  expect(screen.queryByText("All entries")).toBeNull();
});
