import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { meQuery } from "@/lib/me";
import { useSession } from "@/lib/session";
import { SendSignal } from "./send-signal";

const RUN = "01a21a4f-3d41-7000-8000-000000000001";
const PATIENCE = { timeout: 20_000 };

let sent: { path: string; body: string }[];
let keys: (string | null)[];
let answer: () => Response;
const answering = (status: number, document: object) => () =>
  new Response(JSON.stringify(document), { status, headers: { "content-type": "application/json" } });

beforeEach(() => {
  sent = [];
  keys = [];
  answer = answering(202, { run_id: RUN });
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    keys.push(request.headers.get("idempotency-key"));
    sent.push({ path: new URL(request.url).pathname, body: await request.text() });
    return answer();
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

let rerender: (name: string | null) => void;
/** As somebody with these permissions sees it. */
function show(permissions: string[]): void {
  const client = new QueryClient({ defaultOptions: { queries: { enabled: false } } });
  client.setQueryData(meQuery.queryKey, { permissions } as never);
  const page = (name: string | null) => (
    <QueryClientProvider client={client}>
      <SendSignal runId={RUN} name={name} />
    </QueryClientProvider>
  );
  const shown = render(page("booked"));
  rerender = (name) => shown.rerender(page(name));
}

const type = (text: string) => fireEvent.change(screen.getByLabelText("Payload"), { target: { value: text } });
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

it("the payload is sent as it was typed, long numbers too", async () => {
  show(["runs:control"]);
  press("Send signal…");
  type('{"seat": 9007199254740993}');
  press("Send it");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull(), PATIENCE);
  expect(sent).toEqual([{ path: `/v1/runs/${RUN}/signal`, body: '{"name": "booked", "payload": {"seat": 9007199254740993}}' }]);
});

it("a signal whose answer was lost is sent again as the same one, and another payload as another", async () => {
  const reached = answer;
  answer = () => {
    throw new TypeError("the network is away");
  };
  show(["runs:control"]);
  press("Send signal…");
  press("Send it");
  await screen.findByText(/^FlowForge does not answer/, undefined, PATIENCE);
  answer = answering(503, { code: "unavailable", detail: "It is starting." });
  press("Send it");
  await screen.findByText("It is starting.", undefined, PATIENCE);
  answer = reached;
  type('{"seat": 7}');
  press("Send it");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull(), PATIENCE);
  expect([keys.length, new Set(keys).size, keys[0] === keys[1], keys.every((key) => key !== null)]).toEqual([3, 2, true, true]);
});

it("what is no JSON is not sent, and its line is told", () => {
  show(["runs:control"]);
  press("Send signal…");
  type('{"seat": }');
  expect(screen.getByRole("button", { name: "Send it" }).hasAttribute("disabled")).toBe(true);
  expect(screen.getByText(/^Line 1: /)).toBeTruthy();
});

it("a refusal is told, and what was typed stays", async () => {
  answer = answering(409, { code: "run_finished", detail: "The run has ended." });
  show(["runs:control"]);
  press("Send signal…");
  type('{"seat": 7}');
  press("Send it");
  await screen.findByText("The run has ended.", undefined, PATIENCE);
  expect(screen.getByLabelText("Payload")).toHaveProperty("value", '{"seat": 7}');
});

it("who may not reads whom it takes", () => {
  show(["runs:read"]);
  expect(screen.getByText("It takes an operator to send signals.")).toBeTruthy();
  expect(screen.queryByRole("button")).toBeNull();
});

it("what is typed stays where the step goes on meanwhile, which is told, and can still be sent", async () => {
  show(["runs:control"]);
  press("Send signal…");
  type('{"seat": 7}');
  rerender(null);
  expect(screen.getByLabelText("Payload")).toHaveProperty("value", '{"seat": 7}');
  screen.getByText(/^The step waits for it no longer\./);
  press("Send it");
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull(), PATIENCE);
  expect(sent.map(({ body }) => body)).toEqual(['{"name": "booked", "payload": {"seat": 7}}']);
  expect(screen.queryByRole("button", { name: "Send signal…" })).toBeNull();
});
