import { describe, expect, it } from "vitest";
import { readSignIn } from "./next";
import { beginAt, sentenceOf } from "./outcome";

describe("a sign-in by a provider", () => {
  it("that failed is told in words of its own, also where the code is unknown here", () => {
    expect(sentenceOf("oidc_denied")).toContain("cancelled");
    expect(sentenceOf("oidc_from_the_future")).toBe(sentenceOf("constructor"));
  });

  it.each([[undefined], [7], [""], ["Call 555-1234"], ["<img>"], ["x".repeat(65)]])("reads no code in %j", (error) => {
    expect(readSignIn({ error })).toEqual({});
  });

  it("is read with where it leads, which is never another place", () => {
    expect(readSignIn({ signed_in: "oidc", next: "/runs", x: 1 })).toEqual({ signed_in: "oidc", next: "/runs" });
    expect(readSignIn({ signed_in: "yes", next: "//evil.example", error: "oidc_denied" })).toEqual({ error: "oidc_denied" });
  });

  it("begins at the product's own address, with where it is to lead", () => {
    const url = "https://flow.example/v1/auth/oidc/login";
    expect(beginAt(url, undefined)).toBe(url);
    expect(beginAt(url, "/runs?q=a&b")).toBe(`${url}?next=%2Fruns%3Fq%3Da%26b`);
  });
});
