import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { Palette } from "./palette";

const navigate = vi.fn();
vi.mock("@tanstack/react-router", async (original) => ({ ...(await original<object>()), useNavigate: () => navigate }));
vi.mock("./rail", () => ({ useMyPages: () => [{ to: "/settings", label: "Settings", icon: "settings" }] }));

const ORDERS = "01a21a4f-3d41-7000-8000-000000000001";
const PATIENCE = { timeout: 20_000 };

let answerNames: () => void;
beforeEach(() => {
  navigate.mockReset();
  useSession.setState({ status: "anonymous" });
  const names = new Promise<void>((resolve) => (answerNames = resolve));
  vi.stubGlobal("fetch", async () => {
    await names;
    const items = [{ id: ORDERS, name: "Orders" }];
    return new Response(JSON.stringify({ items, next_cursor: null }), { headers: { "content-type": "application/json" } });
  });
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

/** The field of the palette, in which this is typed. */
function type(text: string): HTMLElement {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <Palette onHelp={() => undefined} />
    </QueryClientProvider>,
  );
  fireEvent.keyDown(window, { key: "k", ctrlKey: true });
  const field = screen.getByRole("combobox");
  fireEvent.change(field, { target: { value: text } });
  return field;
}

it("Enter waits for the workflows of what is typed, and leads to the first", async () => {
  const field = type("orders");
  fireEvent.keyDown(field, { key: "Enter" });
  expect(navigate).not.toHaveBeenCalled();
  answerNames();
  await vi.waitFor(() => expect(navigate.mock.calls).toEqual([[{ to: "/workflows/$workflowId", params: { workflowId: ORDERS } }]]), PATIENCE);
  await vi.waitFor(() => expect(screen.queryByRole("combobox")).toBeNull(), PATIENCE);
});

it("Enter does not wait where the first is a page", () => {
  fireEvent.keyDown(type("sett"), { key: "Enter" });
  expect(navigate.mock.calls).toEqual([[{ to: "/settings" }]]);
});

it("what is chosen stays chosen as workflows come before it, and is not waited for", async () => {
  const field = type("orders");
  fireEvent.keyDown(field, { key: "ArrowDown" });
  answerNames();
  await screen.findByRole("option", { name: /^Orders/ }, PATIENCE);
  expect(screen.getByRole("option", { selected: true }).textContent).toBe("Runs with “orders”");
  act(() => void fireEvent.keyDown(field, { key: "Enter" }));
  expect(navigate.mock.calls).toEqual([[{ to: "/runs", search: { q: "orders" } }]]);
});
