import { describe, expect, it } from "vitest";
import { fromField, madeAt, readMoment, toField } from "./moment-field";

describe("a moment", () => {
  it.each([
    ["2026-11-27T10:05:00Z", "2026-11-27T10:05:00.000Z"],
    ["2026-11-27T10:05:00+01:00", "2026-11-27T09:05:00.000Z"],
    ["yesterday", undefined],
    [5, undefined],
    [undefined, undefined],
  ])("of an address: %j", (value, moment) => {
    expect(readMoment(value)).toBe(moment);
  });

  describe.each(["local", "utc"] as const)("by %s clocks", (zone) => {
    it.each(["2026-11-27T10:05:00.000Z", "2026-01-01T00:00:00.000Z", "2024-02-29T23:59:00.000Z"])("is the same after it stood in a field: %s", (moment) => {
      expect(fromField(toField(moment, zone), zone)).toBe(moment);
    });

    it.each(["", "2026-11-27", "2026-13-45T10:00", "0002-11-27T10:00", "0020-11-27T10:00", "0202-11-27T10:00"])("is none while a field says %j", (text) => {
      expect(fromField(text, zone)).toBeUndefined();
    });

    it("is none in a field where there is none", () => {
      expect(toField(undefined, zone)).toBe("");
    });
  });

  it("stands in a field as the chosen clocks tell it", () => {
    expect(toField("2026-11-27T20:05:00Z", "local")).toBe("2026-11-28T01:35");
    expect(toField("2026-11-27T20:05:00Z", "utc")).toBe("2026-11-27T20:05");
  });

});

it("an id tells when something was made", () => {
  expect(madeAt("0193b9c0-1234-7000-8000-000000000001")).toBe(0x0193b9c01234);
});
