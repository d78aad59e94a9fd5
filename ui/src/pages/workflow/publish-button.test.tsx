import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Toasts } from "@/components/ui/toasts";
import { meQuery } from "@/lib/me";
import { useSession } from "@/lib/session";
import type { Detail } from "./api";
import { PublishButton } from "./publish-button";

const PATIENCE = { timeout: 20_000 };
const SEEN = { id: "01a21a4f-3d41-7000-8000-000000000001", name: "Orders", revision: 3, problems: [] } as unknown as Detail;

/** A server with one workflow, which publishes the revision alone that it has. */
let kept: { revision: number; definition: object };
let published: number[];

const answer = (status: number, document: object) =>
  new Response(JSON.stringify(document), { status, headers: { "content-type": "application/json" } });

beforeEach(() => {
  kept = { revision: 3, definition: { schema: 1 } };
  published = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    if (request.method === "GET") return answer(200, { ...SEEN, ...kept });
    if (request.headers.get("if-match") !== `"${kept.revision}"`) return answer(412, { code: "stale_etag", detail: "It is another one by now." });
    published.push(kept.revision);
    return answer(201, { version: 8 });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function show(isUnsaved = false): HTMLElement {
  const client = new QueryClient({ defaultOptions: { queries: { enabled: false } } });
  client.setQueryData(meQuery.queryKey, { permissions: ["workflows:publish"] } as never);
  render(
    <QueryClientProvider client={client}>
      <PublishButton draft={{ detail: SEEN, text: '{"schema":1}' }} isUnsaved={isUnsaved} />
      <Toasts />
    </QueryClientProvider>,
  );
  return screen.getByRole("button", { name: "Publish" });
}
const said = (text: RegExp) => screen.findByText(text, undefined, PATIENCE);

it("the draft that is seen goes live", async () => {
  fireEvent.click(show());
  await said(/^Orders is live as version 8\.$/);
  expect(published).toEqual([3]);
});

it("it also does where only its name was changed meanwhile", async () => {
  kept.revision = 5;
  fireEvent.click(show());
  await said(/^Orders is live as version 8\.$/);
  expect(published).toEqual([5]);
});

it("a draft that somebody else has saved meanwhile does not go live unseen", async () => {
  kept = { revision: 5, definition: { schema: 1, steps: [] } };
  fireEvent.click(show());
  await said(/^Orders was not published\. Somebody has saved another draft meanwhile/);
  expect(published).toEqual([]);
});

it("nothing goes live while something is written that is not saved", () => {
  const button = show(true);
  expect([button.hasAttribute("disabled"), button.title]).toEqual([true, "Save the draft first."]);
});
