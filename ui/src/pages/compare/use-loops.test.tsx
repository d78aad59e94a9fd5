import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Run, Step } from "@/features/runs/run";
import { useSession } from "@/lib/session";
import { compareSteps } from "./compare";
import { useLoops } from "./use-loops";

const PATIENCE = { timeout: 20_000 };
const CREATED = "2026-01-01T00:00:00.000Z";

/** The runs and loops whose items were read. */
let read: string[];
beforeEach(() => {
  useSession.setState({ status: "anonymous" });
  read = [];
  vi.stubGlobal("fetch", (request: Request) => {
    const { pathname, searchParams } = new URL(request.url);
    const [, run = ""] = /runs\/([^/]+)\/steps/.exec(pathname) ?? [];
    const parent = searchParams.get("parent") ?? "";
    read.push(`${run} ${parent}`);
    // Of the loop `other`, the one item went another way in each run.
    const status = parent === "other" && run === "b" ? "failed" : "succeeded";
    const item = { index: 0, path: `${parent}[0]`, status, error: null, started_at: CREATED, finished_at: CREATED, steps: [] };
    return Promise.resolve(new Response(JSON.stringify({ items: [item], next_cursor: null })));
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const loop = (id: string) =>
  ({ id, path: id, type: "foreach", name: null, status: "succeeded", started_at: CREATED, time: null, input: null, output: null, error: null, port: null, items: { total: 1 } }) as unknown as Step;
const run = (id: string, loops: readonly string[]) => ({ id, status: "succeeded", created_at: CREATED, steps: loops.map(loop) }) as unknown as Run;

function compare(...loops: string[]) {
  const client = new QueryClient();
  const wrapper = ({ children }: { children: ReactNode }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>;
  const [a, b] = [run("a", loops), run("b", loops)];
  const steps = compareSteps(a, b);
  return renderHook(() => useLoops(a, b, steps), { wrapper }).result;
}

it("no item is read before somebody asks for those of its loop", async () => {
  const found = compare("each", "other");
  expect([found.current.unread, found.current.isPending]).toEqual([2, false]);
  act(() => found.current.ask("other"));
  await waitFor(() => expect(found.current.steps[1]?.differences).toEqual(["items"]), PATIENCE);
  expect(read).toEqual(["a other", "b other"]);
  expect([found.current.unread, found.current.steps[0]?.differences]).toEqual([1, []]);
});

it("of many loops, ten are asked for at once", async () => {
  const found = compare(...Array.from({ length: 12 }, (_, index) => `loop_${index}`));
  expect([found.current.unread, found.current.next]).toEqual([12, 10]);
  act(() => found.current.askMore());
  await waitFor(() => expect(found.current.isPending).toBe(false), PATIENCE);
  expect([found.current.unread, found.current.next, read.length]).toEqual([2, 2, 20]);
  act(() => found.current.askMore());
  await waitFor(() => expect([found.current.unread, read.length, found.current.isPending]).toEqual([0, 24, false]), PATIENCE);
});
