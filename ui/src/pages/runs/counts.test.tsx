import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ToneToggles } from "@/components/ui/tone-toggles";
import { useSession } from "@/lib/session";
import { RUN_STATUSES, type RunStatus, STATUS_LOOKS } from "@/lib/status";
import { type Counted, explainCounts, sayCount, useCounts } from "./counts";
import type { RunFilters } from "./filters";

const WORKFLOW = "01a21a4f-3d41-7000-8000-000000000001";
const NONE = { queued: 0, running: 0, waiting: 0, succeeded: 0, failed: 0, cancelled: 0, timed_out: 0 };

function counted(failed: number, since: string | null = null): Counted {
  return { by_status: { ...NONE, failed }, since };
}

it.each([
  [counted(0), "0"],
  [counted(48_213), "48,213"],
  [counted(12, "2026-11-27T12:00:00Z"), "12+"],
])("%j is said in full, and as a bound where the newest alone were counted", (told, said) => {
  expect(sayCount(told, "failed")).toBe(said);
});

it("that the newest alone were counted is explained, and nothing else is", () => {
  expect(explainCounts(counted(12), "utc")).toBeUndefined();
  expect(explainCounts(counted(12, "2026-11-27T12:00:00Z"), "utc")).toMatch(/the newest were counted: those since .*2026 at 12:00:00 UTC/);
});

let asked: URLSearchParams[];
beforeEach(() => {
  useSession.setState({ status: "anonymous" });
  asked = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const url = new URL(request.url);
    expect(url.pathname).toBe("/v1/runs/counts");
    asked.push(url.searchParams);
    return new Response(JSON.stringify(counted(asked.length)), { headers: { "content-type": "application/json" } });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function Chips({ filters, onChange }: { filters: RunFilters; onChange: (status: RunStatus[]) => void }) {
  const told = useCounts(filters);
  return (
    <ToneToggles<RunStatus>
      label="Status"
      names={RUN_STATUSES}
      looks={STATUS_LOOKS}
      chosen={filters.status ?? []}
      onChange={onChange}
      counts={told && { say: (status) => sayCount(told, status), explanation: undefined }}
    />
  );
}

it("each chip tells how many runs it has under the other filters, whichever are chosen", async () => {
  const client = new QueryClient({ defaultOptions: { queries: { networkMode: "always" } } });
  const onChange = vi.fn();
  const page = (filters: RunFilters) => (
    <QueryClientProvider client={client}>
      <Chips filters={filters} onChange={onChange} />
    </QueryClientProvider>
  );
  const { rerender } = render(page({ workflow: WORKFLOW, q: "502" }));
  fireEvent.click(await screen.findByRole("button", { name: "Failed 1" }));
  expect(onChange).toHaveBeenCalledWith(["failed"]);
  expect(Object.fromEntries(asked[0] ?? [])).toEqual({ workflow_id: WORKFLOW, q: "502" });
  rerender(page({ workflow: WORKFLOW, q: "502", status: ["failed"] }));
  await screen.findByRole("button", { name: "Failed 1", pressed: true });
  rerender(page({ q: "502", status: ["failed"] }));
  await screen.findByRole("button", { name: "Failed 2" });
  await waitFor(() => expect(client.isFetching()).toBe(0));
  expect(asked.length).toBe(2);
});
