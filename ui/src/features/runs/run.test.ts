import { describe, expect, it } from "vitest";
import { nameVersion } from "./run";

describe("what a run is of", () => {
  it.each([
    [0, "draft"],
    [1, "v1"],
    [12, "v12"],
  ])("version %d is called %s", (version, name) => {
    expect(nameVersion(version)).toBe(name);
  });
});
