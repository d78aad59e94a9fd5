import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { WorkflowSelect } from "./workflow-select";

const PATIENCE = { timeout: 20_000 };
const [LISTED, OLD, GONE, BROKEN] = [1, 2, 3, 4].map((number) => `01a21a4f-3d41-7000-8000-00000000000${number}`) as [string, string, string, string];

const answer = (status: number, document: object) =>
  new Response(JSON.stringify(document), { status, headers: { "content-type": "application/json" } });

let asked: string[];
beforeEach(() => {
  asked = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    const { pathname } = new URL(request.url);
    asked.push(pathname);
    if (pathname === "/v1/workflows") return answer(200, { items: [{ id: LISTED, name: "Orders" }], next_cursor: "more" });
    if (pathname.endsWith(BROKEN)) return answer(500, { code: "internal_error", detail: "It broke." });
    return pathname.endsWith(OLD) ? answer(200, { name: "Refunds" }) : answer(404, { code: "not_found", detail: "There is nothing." });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

async function chosenOf(workflow: string, told: string): Promise<string | undefined> {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <WorkflowSelect workflow={workflow} onChange={() => undefined} />
    </QueryClientProvider>,
  );
  await screen.findByRole("option", { name: told }, PATIENCE);
  return screen.getByLabelText<HTMLSelectElement>("Workflow").selectedOptions[0]?.textContent ?? undefined;
}

it("one that is listed is asked for no more", async () => {
  expect(await chosenOf(LISTED, "Orders")).toBe("Orders");
  expect(asked).toEqual(["/v1/workflows"]);
});

it.each([
  ["is not among the newest", OLD, "Refunds"],
  ["is gone", GONE, "A workflow that is gone"],
])("one that %s is told by words, and not by its id", async (_, id, told) => {
  expect(await chosenOf(id, told)).toBe(told);
});

it("one that cannot be read is not said to be gone", async () => {
  expect(await chosenOf(BROKEN, "00000004")).toBe("00000004");
});
