import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { curlOf, quote } from "./curl";

const RUN = { workflow_id: "w", version: 3, is_test: false };

describe("a run as a command", () => {
  it.each(["plain", "it's", "$(touch /tmp/x) `id` \"$HOME\"", "two\nlines", "'; rm -rf / #", "\\'"])("says %j to a shell as it is", (text) => {
    expect(execFileSync("sh", ["-c", `printf %s ${quote(text)}`], { encoding: "utf8" })).toBe(text);
  });

  it("starts the same version with the same input", () => {
    const command = curlOf("http://localhost:8000", RUN, { name: "O'Brien" });
    const words = execFileSync("sh", ["-c", `curl() { printf '%s\\0' "$@"; }; FLOWFORGE_TOKEN=ff_x; ${command}`], { encoding: "utf8" }).split("\0");
    expect(words).toContain("http://localhost:8000/v1/workflows/w/runs");
    expect(words).toContain("Authorization: Bearer ff_x");
    expect(JSON.parse(words[words.indexOf("-d") + 1] ?? "")).toEqual({ input: { name: "O'Brien" }, version: 3 });
  });

  it("gives every digit of an id", () => {
    expect(curlOf("http://localhost", RUN, { id: 9007199254740993n })).toContain('{"input":{"id":9007199254740993},"version":3}');
  });

  it("of a draft names no version: there is none", () => {
    expect(curlOf("http://localhost", { ...RUN, is_test: true }, {})).not.toContain("version");
  });
});
