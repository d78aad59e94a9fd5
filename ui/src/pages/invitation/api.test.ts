import { describe, expect, it } from "vitest";
import { readToken } from "./api";

describe("the token of a link", () => {
  it("stands behind the hash", () => {
    expect(readToken("#abc_DEF-123")).toBe("abc_DEF-123");
  });

  it.each(["", "#", "#two words", `#${"x".repeat(201)}`, "#<img>"])("is none in %j", (hash) => {
    expect(readToken(hash)).toBeUndefined();
  });
});
