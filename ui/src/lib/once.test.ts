import { describe, expect, it } from "vitest";
import { createOnce } from "./once";
import { ApiProblem, Unreachable } from "./problem";

const problem = (status: number, code = "some") => new ApiProblem({ code }, new Response(null, { status }));

/** The key of a request that says this, and comes to that. */
async function keyOf(once: ReturnType<typeof createOnce>, said: string, error?: Error): Promise<string> {
  let key = "";
  const asked = once.ask(said, async (header) => {
    key = header["Idempotency-Key"];
    if (error !== undefined) throw error;
    return "done";
  });
  if (error === undefined) expect(await asked).toBe("done");
  else await expect(asked).rejects.toBe(error);
  return key;
}

describe("what is asked for again", () => {
  it.each([
    ["nobody answered", new Unreachable(undefined), true],
    ["the server failed", problem(503), true],
    ["it is still being done", problem(409, "idempotency_in_progress"), true],
    ["it was done", undefined, false],
    ["it was refused", problem(409), false],
    ["the answer broke off", new TypeError("terminated"), true],
  ])("is the same where %s", async (_, error, isSame) => {
    const once = createOnce();
    const first = await keyOf(once, '{"total": 7}', error);
    expect((await keyOf(once, '{"total": 7}')) === first).toBe(isSame);
  });

  it("is something else where it says something else, also the first once more", async () => {
    const once = createOnce();
    const keys: string[] = [];
    for (const said of ["{}", '{"total": 7}', "{}"]) keys.push(await keyOf(once, said, new Unreachable(undefined)));
    expect(new Set(keys).size).toBe(3);
    expect(keys.every((key) => /^[0-9a-f]{32}$/.test(key))).toBe(true);
  });
});
