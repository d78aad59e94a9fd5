import { describe, expect, it } from "vitest";
import { createOnce } from "./once";
import { ApiProblem, Unreachable } from "./problem";

const problem = (status: number) => new ApiProblem({}, new Response(null, { status }));

describe("what is asked for again", () => {
  it.each([
    ["nobody answered", new Unreachable(undefined), true],
    ["the server failed", problem(503), true],
    ["it was done", null, false],
    ["it was refused", problem(409), false],
  ])("is the same where %s: %s", (_, error, isSame) => {
    const once = createOnce();
    const first = once.headerFor('{"total": 7}');
    once.settle(error);
    expect(once.headerFor('{"total": 7}')["Idempotency-Key"] === first["Idempotency-Key"]).toBe(isSame);
  });

  it("is something else where it says something else, also the first once more", () => {
    const once = createOnce();
    const keys = ["{}", '{"total": 7}', "{}"].map((said) => {
      const header = once.headerFor(said);
      once.settle(new Unreachable(undefined));
      return header["Idempotency-Key"];
    });
    expect(new Set(keys).size).toBe(3);
    expect(keys.every((key) => /^[0-9a-f]{32}$/.test(key))).toBe(true);
  });
});
