import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, createMemoryHistory, createRootRoute, createRouter } from "@tanstack/react-router";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SetupPage } from "./setup-page";

const PATIENCE = { timeout: 20_000 };

let sent: { setup_token: string | null }[];
let answer: { status: number; body: object };

beforeEach(async () => {
  sent = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push((await request.json()) as { setup_token: string | null });
    return new Response(JSON.stringify(answer.body), { status: answer.status, headers: { "content-type": "application/json" } });
  });
  const router = createRouter({ routeTree: createRootRoute({ component: SetupPage }), history: createMemoryHistory() });
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RouterProvider router={router as never} />
    </QueryClientProvider>,
  );
  await screen.findByRole("button", { name: "Set up" }, PATIENCE);
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

async function submit(status: number, body: object, told: RegExp): Promise<void> {
  answer = { status, body };
  fireEvent.submit(screen.getByLabelText("Password").closest("form") as HTMLFormElement);
  await screen.findByText(told, undefined, PATIENCE);
}

it("the token that was asked for stays where something else goes wrong after it", async () => {
  expect(screen.queryByLabelText("Set-up token")).toBeNull();
  await submit(401, { code: "invalid_setup_token", detail: "It needs the token." }, /It needs the token/);
  fireEvent.change(screen.getByLabelText("Set-up token"), { target: { value: "printed" } });
  await submit(503, { code: "unavailable", detail: "It is starting." }, /It is starting/);
  const short = { code: "invalid", detail: "It is faulty.", errors: [{ pointer: "/password", code: "short", message: "is too short" }] };
  await submit(422, short, /^Is too short$/);
  expect(screen.getByLabelText<HTMLInputElement>("Set-up token").value).toBe("printed");
  expect(sent.map(({ setup_token: token }) => token)).toEqual([null, "printed", "printed"]);
});
