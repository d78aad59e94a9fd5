import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { duplicate, start } from "./api";

const DEFINITION = '{"schema": 1, "steps": [], "output": {"2": 9007199254740993, "1": 1.0}}';

/** What was asked of the API, and with which body. */
let asked: [string, string][];
beforeEach(() => {
  asked = [];
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.push([`${request.method} ${new URL(request.url).pathname}`, await request.text()]);
    return new Response(`{"id": "w", "name": "Orders", "description": "all", "definition": ${DEFINITION}}`);
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  useSession.setState({ status: "unknown" });
});

it("a copy has the definition letter by letter: numbers of 64 bits, 1.0 and the order of keys", async () => {
  await duplicate("w");
  expect(asked.map(([call]) => call)).toEqual(["GET /v1/workflows/w", "POST /v1/workflows"]);
  expect(asked[1]?.[1]).toBe(`{"name": "Orders (copy)", "description": "all", "enabled": true, "definition": ${DEFINITION}}`);
});

it("a run starts with the input as it was written, or with none", async () => {
  await start("w", '{"id": 9007199254740993}');
  await start("w");
  expect(asked).toEqual([
    ["POST /v1/workflows/w/runs", '{"input": {"id": 9007199254740993}}'],
    ["POST /v1/workflows/w/runs", '{"input": {}}'],
  ]);
});
