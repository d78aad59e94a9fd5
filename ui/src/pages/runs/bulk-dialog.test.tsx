import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "@/components/ui/toasts";
import { useSession } from "@/lib/session";
import { BulkDialog } from "./bulk-dialog";

const PATIENCE = { timeout: 20_000 };

interface Call {
  isDry: boolean;
  signal: AbortSignal;
  answer: (done: number, cursor: string | null) => void;
}

/** A server under the test's hand: each call waits for its answer. */
let calls: Call[];
beforeEach(() => {
  useSession.setState({ status: "anonymous" });
  calls = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const { dry_run: isDry } = (await request.json()) as { dry_run: boolean };
    return new Promise((resolve, reject) => {
      request.signal.addEventListener("abort", () => reject(new DOMException("given up", "AbortError")));
      const answer = (done: number, cursor: string | null) =>
        resolve(new Response(JSON.stringify({ action: "cancel", done, dry_run: isDry, matched: done, next_cursor: cursor, run_ids: [], skipped: {} })));
      calls.push({ isDry, signal: request.signal, answer });
    });
  });
});
afterEach(() => {
  // Toasts outlive the page that has told them.
  for (const button of screen.queryAllByRole("button", { name: "Dismiss", hidden: true })) fireEvent.click(button);
  cleanup();
  vi.unstubAllGlobals();
});

/** The call of this number, once it is made. */
async function call(number: number): Promise<Call> {
  await waitFor(() => expect(calls.length).toBe(number), PATIENCE);
  return calls[number - 1] as Call;
}

/** The dialog of five runs, at work, with two of them done and the next call under way. */
async function showAtWork() {
  const [onClose, onDone, client] = [vi.fn(), vi.fn(), new QueryClient()];
  const page = (isOpen: boolean) => (
    <QueryClientProvider client={client}>
      {isOpen && <BulkDialog action="cancel" meant={{ filters: { status: ["running"] } }} onClose={onClose} onDone={onDone} />}
      <Toasts />
    </QueryClientProvider>
  );
  const { rerender } = render(page(true));
  (await call(1)).answer(5, null);
  fireEvent.click(await screen.findByRole("button", { name: "Cancel 5 runs" }, PATIENCE));
  (await call(2)).answer(2, "on");
  await screen.findByRole("button", { name: "2 of 5" }, PATIENCE);
  return { onClose, onDone, under: await call(3), leave: () => rerender(page(false)) };
}

it("all that is meant is done, call by call", async () => {
  const { onClose, onDone, under } = await showAtWork();
  under.answer(3, null);
  await screen.findByText("5 runs are being cancelled.", undefined, PATIENCE);
  expect(onDone).toHaveBeenCalledOnce();
  expect(onClose).not.toHaveBeenCalled();
  expect(calls.map(({ isDry }) => isDry)).toEqual([true, false, false]);
});

it.each([
  ["its button", () => fireEvent.click(screen.getByRole("button", { name: "Stop" }))],
  ["the button that closes it", () => fireEvent.click(screen.getByRole("button", { name: "Close" }))],
  ["the Escape key", () => fireEvent.keyDown(document.body, { key: "Escape" })],
])("%s stops the work after the call under way, and it is told how many were done", async (_, stop) => {
  const { onClose, onDone, under } = await showAtWork();
  stop();
  await screen.findByRole("button", { name: "Stopping" }, PATIENCE);
  expect(onClose).not.toHaveBeenCalled();
  under.answer(1, "on");
  await screen.findByText("You stopped it: 3 runs are being cancelled, the others are as they were.", undefined, PATIENCE);
  expect(onClose).toHaveBeenCalledOnce();
  expect(onDone).not.toHaveBeenCalled();
  expect(calls.length).toBe(3);
});

it("a call that does not end is given up by closing once more", async () => {
  const { onClose, under, leave } = await showAtWork();
  fireEvent.click(screen.getByRole("button", { name: "Stop" }));
  fireEvent.click(await screen.findByRole("button", { name: "Stopping" }, PATIENCE));
  expect(onClose).toHaveBeenCalledOnce();
  leave();
  expect(under.signal.aborted).toBe(true);
});

it("the work ends with the page, and what was done by then is told", async () => {
  const { onDone, under, leave } = await showAtWork();
  leave();
  expect(under.signal.aborted).toBe(true);
  await screen.findByText("You left before the end: at least 2 runs are being cancelled.", undefined, PATIENCE);
  expect(onDone).not.toHaveBeenCalled();
  expect(calls.length).toBe(3);
});
