import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { ChangeVariable, NewVariable } from "./variable-dialog";

const PATIENCE = { timeout: 20_000 };

let sent: { path: string; ifMatch: string | null; body: string }[];
let answer: (response: Response) => void;
beforeEach(() => {
  sent = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    if (request.method === "GET") return new Promise<Response>((resolve) => (answer = resolve));
    sent.push({ path: new URL(request.url).pathname, ifMatch: request.headers.get("if-match"), body: await request.text() });
    return Response.json({ code: "stale", detail: "It was changed." }, { status: 412 });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function show(dialog: ReactNode): void {
  const client = new QueryClient({ defaultOptions: { queries: { networkMode: "always" }, mutations: { networkMode: "always" } } });
  render(<QueryClientProvider client={client}>{dialog}</QueryClientProvider>);
}
const save = () => screen.getByRole<HTMLButtonElement>("button", { name: "Save" });
const fill = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } });

it("a new one takes no name that is there, and what is no JSON is told at its field", async () => {
  show(<NewVariable taken={new Set(["LIMITS"])} onClose={() => undefined} />);
  fill("Name", "LIMITS");
  fill("Kind", "json");
  fill("Value", "{");
  fireEvent.click(save());
  screen.getByText(/^There is a variable of this name/);
  screen.getByText(/^This is no JSON/);
  fill("Name", "RATES");
  fill("Value", '{"id": 9007199254740993}');
  fireEvent.click(save());
  await waitFor(() => expect(sent).toEqual([{ path: "/v1/vars/RATES", ifMatch: null, body: '{"value": {"id": 9007199254740993}}' }]), PATIENCE);
  expect(screen.queryByText(/^There is a variable/)).toBeNull();
});

it("one that is there is changed from what it is now, once that is known, and not over what somebody else has made of it", async () => {
  show(<ChangeVariable name="GREETING" onClose={() => undefined} />);
  expect(save().disabled).toBe(true);
  const variable = { name: "GREETING", value: [1], used_by: [], updated_at: "2026-11-27T12:00:00Z", updated_by: "u" };
  await waitFor(() => expect(answer).toBeTypeOf("function"), PATIENCE);
  answer(Response.json(variable, { headers: { etag: '"7"' } }));
  expect((await screen.findByLabelText<HTMLSelectElement>("Kind", undefined, PATIENCE)).value).toBe("json");
  expect(screen.getByLabelText<HTMLTextAreaElement>("Value").value).toBe("[\n  1\n]");
  fill("Kind", "text");
  fireEvent.click(save());
  await screen.findByText(/^Somebody has changed or deleted it meanwhile/, undefined, PATIENCE);
  expect(sent).toEqual([{ path: "/v1/vars/GREETING", ifMatch: '"7"', body: '{"value": "[\\n  1\\n]"}' }]);
});
