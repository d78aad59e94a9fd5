import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { approvalsQuery } from "./api";
import { DECIDED_STATUSES } from "./filters";

const RUN = "01a21a4f-3d41-7000-8000-000000000001";

/** What was asked for. */
let asked: URLSearchParams[];
beforeEach(() => {
  asked = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", (request: Request) => {
    asked.push(new URL(request.url).searchParams);
    return Promise.resolve(new Response('{"items": [], "next_cursor": null}'));
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  useSession.setState({ status: "unknown" });
});

it("the API is asked for those that are over, so that open ones fill no page of them", async () => {
  const client = new QueryClient();
  await client.fetchInfiniteQuery(approvalsQuery(DECIDED_STATUSES, undefined, false));
  await client.fetchInfiniteQuery(approvalsQuery(["pending"], RUN, false));
  expect(asked.map((query) => [query.get("status"), query.get("run_id")])).toEqual([
    ["approved,rejected,timed_out,cancelled", null],
    ["pending", RUN],
  ]);
});
