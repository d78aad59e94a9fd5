import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createOnce } from "@/lib/once";
import { Unreachable } from "@/lib/problem";
import { useSession } from "@/lib/session";
import { duplicate, importFile, start } from "./api";

const DEFINITION = '{"schema": 1, "steps": [], "output": {"2": 9007199254740993, "1": 1.0}}';

/** What was asked of the API, and with which body. */
let asked: [string, string][];
let keys: (string | null)[];
let isReachable: boolean;
beforeEach(() => {
  asked = [];
  keys = [];
  isReachable = true;
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.push([`${request.method} ${new URL(request.url).pathname}`, await request.text()]);
    keys.push(request.headers.get("idempotency-key"));
    // It has come, and its answer does not.
    if (!isReachable && request.method === "POST") throw new TypeError("the network is away");
    return new Response(`{"id": "w", "name": "Orders", "description": "all", "definition": ${DEFINITION}}`);
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  useSession.setState({ status: "unknown" });
});

it("a copy has the definition letter by letter: numbers of 64 bits, 1.0 and the order of keys", async () => {
  await duplicate("w", createOnce());
  expect(asked.map(([call]) => call)).toEqual(["GET /v1/workflows/w", "POST /v1/workflows"]);
  expect(asked[1]?.[1]).toBe(`{"name": "Orders (copy)", "description": "all", "enabled": true, "definition": ${DEFINITION}}`);
});

it("a run starts with the input as it was written", async () => {
  await start("w", '{"id": 9007199254740993}', { "Idempotency-Key": "k" });
  expect(asked).toEqual([["POST /v1/workflows/w/runs", '{"input": {"id": 9007199254740993}}']]);
});

it.each([
  ["a copy", (once: ReturnType<typeof createOnce>) => duplicate("w", once)],
  ["an import", (once: ReturnType<typeof createOnce>) => importFile(new File(["name: Orders"], "orders.yaml"), once)],
])("%s whose answer was lost is asked for again as the same one, and a further one as another", async (_, ask) => {
  const once = createOnce();
  isReachable = false;
  await expect(ask(once)).rejects.toBeInstanceOf(Unreachable);
  isReachable = true;
  await ask(once);
  await ask(once);
  const [lost, again, further] = keys.filter((key) => key !== null);
  expect(again).toBe(lost);
  expect(further).not.toBe(lost);
});
