import { describe, expect, it } from "vitest";
import { expiryOf, standingOf } from "./lifetimes";

const NOW = Date.parse("2026-11-27T12:00:00Z");

describe("the end of a key", () => {
  it("is so many days away, or never comes", () => {
    expect(expiryOf("30", NOW)).toBe("2026-12-27T12:00:00.000Z");
    expect(expiryOf("none", NOW)).toBeNull();
    expect(expiryOf("-3", NOW)).toBeNull();
  });

  it.each([
    ["no end", null, "good"],
    ["an end in a month", "2026-12-27T12:00:00Z", "good"],
    ["an end tomorrow", "2026-11-28T12:00:00Z", "soon"],
    ["an end at this moment", "2026-11-27T12:00:00Z", "expired"],
    ["an end that is past", "2026-11-26T12:00:00Z", "expired"],
  ])("with %s is told", (_, expiresAt, standing) => {
    expect(standingOf(expiresAt, NOW)).toBe(standing);
  });
});
