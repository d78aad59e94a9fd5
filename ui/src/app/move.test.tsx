import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { endSession } from "@/lib/session";
import { WhileHere, moveTo } from "./move";

beforeEach(endSession);
afterEach(() => {
  cleanup();
  endSession();
});

const TOKENS = { access_token: "a.b.c", expires_in: 900 };

/** A page, and what stands around it, with all that was asked for, in order. */
function show() {
  const asked: string[] = [];
  const queryClient = new QueryClient();
  const read = (what: string) => () => {
    asked.push(what);
    return Promise.resolve(`${what} ${asked.length}`);
  };
  const Page = () => <p>{useQuery({ queryKey: ["workflow"], queryFn: read("workflow") }).data ?? "nothing yet"}</p>;
  const Frame = () => {
    useQuery({ queryKey: ["me"], queryFn: read("me") });
    return (
      <WhileHere>
        <Page />
      </WhileHere>
    );
  };
  render(
    <QueryClientProvider client={queryClient}>
      <Frame />
    </QueryClientProvider>,
  );
  return { asked, queryClient };
}

/** Let the API answer the request for other tokens. */
function answer(status: number, body: object): void {
  vi.spyOn(globalThis, "fetch").mockImplementation(async () => Response.json(body, { status }));
}

it("on the way into another workspace the page is away, asks for nothing, and what it had read is forgotten", async () => {
  answer(200, TOKENS);
  const { asked, queryClient } = show();
  await screen.findByText(/^workflow /);
  asked.length = 0;
  let seen: unknown;
  await act(() =>
    moveTo("other", queryClient, async () => {
      seen = [screen.queryByText(/workflow|nothing/), queryClient.getQueryData(["workflow"]), [...asked]];
    }),
  );
  expect(seen).toEqual([null, undefined, ["me"]]);
  // The page that one arrives at asks anew.
  await screen.findByText(/^workflow /);
  expect(asked).toEqual(["me", "workflow"]);
});

it("where it is refused, the page stays with all that it shows", async () => {
  answer(403, { status: 403, code: "not_a_member", detail: "You are no member of it." });
  const { asked, queryClient } = show();
  await screen.findByText(/^workflow /);
  asked.length = 0;
  const arrive = vi.fn<() => Promise<void>>();
  await expect(moveTo("other", queryClient, arrive)).rejects.toThrow("You are no member of it.");
  expect(screen.getByText(/^workflow /)).toBeTruthy();
  expect([asked, arrive.mock.calls]).toEqual([[], []]);
});

it("a page that cannot be gone to leaves a way on", async () => {
  answer(200, TOKENS);
  const { queryClient } = show();
  await screen.findByText(/^workflow /);
  await act(() => expect(moveTo("other", queryClient, () => Promise.reject(new Error("gone")))).rejects.toThrow("gone"));
  await screen.findByText(/^workflow /);
});
