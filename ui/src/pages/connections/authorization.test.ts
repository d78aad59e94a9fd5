import { describe, expect, it } from "vitest";
import { failureOf, reasonOf } from "./authorization";
import { readOutcome } from "./outcome";

const ID = "01a21a4f-3d41-7000-8000-000000000001";

describe("what a sign-in at another system came back with", () => {
  it("is read from the address", () => {
    expect(readOutcome({ connection: ID, authorization: "failed", code: "denied" })).toEqual({
      connection: ID,
      authorization: "failed",
      code: "denied",
    });
  });

  it.each([
    ["no outcome", { connection: ID, code: "denied" }, {}],
    ["another outcome", { authorization: "perhaps" }, {}],
    ["a connection that is none", { authorization: "granted", connection: "../x" }, { authorization: "granted" }],
    ["a code that is a sentence", { authorization: "failed", code: "Call 555-1234 now" }, { authorization: "failed" }],
  ])("leaves out %s", (_, search, outcome) => {
    expect(readOutcome(search)).toEqual(outcome);
  });

  it("is told in words, also where the code is unknown here", () => {
    expect(failureOf("denied")).toContain("cancelled");
    expect(failureOf("constructor")).toBe(failureOf(undefined));
    expect(reasonOf("never")).not.toBe(reasonOf("ended"));
    expect(reasonOf(null)).toContain("sign in");
  });
});
