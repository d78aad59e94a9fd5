import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, createMemoryHistory, createRootRoute, createRouter } from "@tanstack/react-router";
import { act, cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "@/components/ui/toasts";
import { formatJson } from "@/lib/json-text";
import { meQuery } from "@/lib/me";
import type { Detail, Draft } from "./api";
import { DefinitionTab } from "./definition-tab";
import { writeKept } from "./kept-text";

const PATIENCE = { timeout: 20_000 };
const ID = "01a21a4f-3d41-7000-8000-000000000001";
const PLACE = { owner: "olga main", workflowId: ID };
const PLAIN = '{"schema":1,"steps":[]}';
/** A zero that YAML would take the sign of. */
const NOT_FOR_YAML = '{"schema":1,"steps":[],"output":{"none":-0}}';
const NOT_AS_YAML = /^The draft is shown as JSON: it could not be written as YAML/;

let set: (draft: Draft) => void;
beforeEach(() => {
  sessionStorage.clear();
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ errors: [] })));
});
afterEach(() => {
  for (const button of screen.queryAllByRole("button", { name: "Dismiss" })) fireEvent.click(button);
  cleanup();
  vi.doUnmock("yaml");
  vi.unstubAllGlobals();
});

const draftOf = (text: string, revision = 1): Draft => ({ detail: { id: ID, revision } as Detail, text });

/** The tab of a draft, to which other drafts may come; the field, once it is there. */
async function show(text: string): Promise<HTMLTextAreaElement> {
  const queryClient = new QueryClient({ defaultOptions: { queries: { enabled: false } } });
  queryClient.setQueryData(meQuery.queryKey, { user: { id: "olga" }, workspace: { id: "main" }, permissions: ["workflows:write"] } as never);
  const Page = () => {
    const [draft, setDraft] = useState(() => draftOf(text));
    set = (other) => act(() => setDraft(other));
    return <DefinitionTab draft={draft} onUnsaved={() => undefined} />;
  };
  const router = createRouter({ routeTree: createRootRoute({ component: Page }), history: createMemoryHistory() });
  render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router as never} />
      <Toasts />
    </QueryClientProvider>,
  );
  return screen.findByLabelText<HTMLTextAreaElement>("Definition", undefined, PATIENCE);
}

const format = () => screen.getByLabelText<HTMLSelectElement>("Written as");
async function choose(next: "json" | "yaml"): Promise<void> {
  fireEvent.change(format(), { target: { value: next } });
  await waitFor(() => expect(format().value).toBe(next), PATIENCE);
}

it("what is discarded in YAML leaves the draft as JSON, where YAML would change it", async () => {
  const field = await show(NOT_FOR_YAML);
  fireEvent.change(field, { target: { value: PLAIN } });
  await choose("yaml");
  fireEvent.click(screen.getByRole("button", { name: "Discard" }));
  await screen.findByText(NOT_AS_YAML, undefined, PATIENCE);
  expect([field.value, format().value]).toEqual([formatJson(NOT_FOR_YAML), "json"]);
  screen.getByText("As it is saved");
});

it("a draft that comes from somebody else is told and shown as JSON, where YAML would change it", async () => {
  const field = await show(PLAIN);
  await choose("yaml");
  set(draftOf(NOT_FOR_YAML, 2));
  await waitFor(() => expect(field.value).toBe(formatJson(NOT_FOR_YAML)), PATIENCE);
  expect(screen.getAllByText(NOT_AS_YAML)).toHaveLength(1);
  expect(format().value).toBe("json");
});

it("a draft that comes from somebody else is shown as YAML with the numbers that it has", async () => {
  const field = await show(PLAIN);
  await choose("yaml");
  set(draftOf('{"schema":1,"steps":[],"output":{"id":12345678901234567890123,"rate":1.0}}', 2));
  await waitFor(() => expect(field.value).toContain("id: 12345678901234567890123\n  rate: 1.0\n"), PATIENCE);
  expect(format().value).toBe("yaml");
});

it("what was kept is there as it was written, also where YAML cannot be loaded", async () => {
  vi.doMock("yaml", () => {
    throw new Error("a part of the page is gone");
  });
  writeKept(PLACE, { format: "yaml", text: "schema: 1 # mine\n", base: { revision: 1, text: PLAIN } });
  const field = await show(PLAIN);
  expect([field.value, format().value]).toEqual(["schema: 1 # mine\n", "yaml"]);
  fireEvent.click(screen.getByRole("button", { name: "Discard" }));
  await waitFor(() => expect(field.value).toBe(formatJson(PLAIN)), PATIENCE);
});
