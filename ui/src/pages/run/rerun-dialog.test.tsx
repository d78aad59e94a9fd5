import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, createMemoryHistory, createRootRoute, createRouter } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { readExact } from "@/lib/exact-json";
import { useSession } from "@/lib/session";
import type { Run } from "./api";
import { RerunDialog } from "./rerun-dialog";

const RUN = "01a21a4f-3d41-7000-8000-000000000001";
const PATIENCE = { timeout: 20_000 };
/** More digits than a number of JavaScript holds, a double that looks like an integer, and a zero with a sign. */
const NUMBERS = '{\n  "id": 12345678901234567890123,\n  "price": 1.0,\n  "none": -0\n}';

const onClose = vi.fn();
let sent: string[];
beforeEach(() => {
  sent = [];
  onClose.mockClear();
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push(await request.text());
    return Response.json({ run_id: RUN }, { status: 202 });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

/** The dialog of a run with this input, with another one to be written. */
async function show(input: string, fromStep: string | null = null) {
  const run = { id: RUN, version: 2, is_test: false, input: readExact(input), steps: [{ id: "charge", name: "Charge the card" }] };
  const root = createRootRoute({ component: () => <RerunDialog run={run as unknown as Run} fromStep={fromStep} onClose={onClose} /> });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  fireEvent.click(await screen.findByLabelText("With other input", undefined, PATIENCE));
  return screen.getByLabelText<HTMLTextAreaElement>("Input");
}

const button = (): HTMLButtonElement => screen.getByRole("button", { name: "Start the new run" });

async function start(): Promise<string | undefined> {
  fireEvent.click(button());
  await waitFor(() => expect(sent).toHaveLength(1), PATIENCE);
  return sent[0];
}

it.each([null, "charge"])("every number of the input is shown and sent as it is, from %s on", async (fromStep) => {
  const field = await show(NUMBERS, fromStep);
  expect(field.value).toBe(NUMBERS);
  expect(await start()).toBe(`{"from_step": ${JSON.stringify(fromStep)}, "version": "same", "input": ${NUMBERS}}`);
});

it("numbers that are typed go as they are typed", async () => {
  fireEvent.change(await show("{}"), { target: { value: '{"id": 98765432109876543210987, "price": 2.50, "none": -0.0}' } });
  expect(await start()).toContain('"input": {"id": 98765432109876543210987, "price": 2.50, "none": -0.0}');
});

it("a number that the API refuses is told by its line, and is not sent", async () => {
  fireEvent.change(await show("{}"), { target: { value: '{\n  "far": 1e400\n}' } });
  screen.getByText("Line 2: this number is too large: they go up to about 1.797e308");
  expect(button().disabled).toBe(true);
});

it("it can be left, as every dialog with a form, and what is wrong with the input is no matter where the original's goes", async () => {
  fireEvent.change(await show("{}"), { target: { value: "{" } });
  expect(button().disabled).toBe(true);
  fireEvent.click(screen.getByLabelText("With other input"));
  expect(button().disabled).toBe(false);
  expect(screen.queryByText(/^Line 1/)).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Cancel" }));
  expect(onClose).toHaveBeenCalledOnce();
  expect(sent).toEqual([]);
});
