import { describe, expect, it } from "vitest";
import { type DiffRow, diffLines, foldSame } from "./diff";

function told(rows: readonly DiffRow[]): string[] {
  return rows.map(({ kind, left, right }) => `${kind === "same" ? "=" : "!"} ${left?.text ?? "-"} ${right?.text ?? "-"}`);
}

const lines = (text: string) => text.split(" ").filter((line) => line !== "");

describe("two texts beside each other", () => {
  it.each([
    ["a b c", "a b c", ["= a a", "= b b", "= c c"]],
    ["a b c", "a x c", ["= a a", "! b x", "= c c"]],
    ["a c", "a b c", ["= a a", "! - b", "= c c"]],
    ["a b c", "", ["! a -", "! b -", "! c -"]],
    ["", "", []],
    ["a b c d", "b x d", ["! a -", "= b b", "! c x", "= d d"]],
  ])("%j and %j", (left, right, rows) => {
    expect(told(diffLines(lines(left), lines(right)))).toEqual(rows);
  });

  it("keep every line of both, in order", () => {
    const [left, right] = [lines("a b a c d a e"), lines("b a d a a f e")];
    const rows = diffLines(left, right);
    expect(rows.flatMap((row) => row.left?.text ?? [])).toEqual(left);
    expect(rows.flatMap((row) => row.right?.text ?? [])).toEqual(right);
    expect(rows.flatMap((row) => row.left?.number ?? [])).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("of thousands of lines come to an end, and show what is the same at both ends", () => {
    const left = Array.from({ length: 5000 }, (_, index) => `l${index}`);
    const right = Array.from({ length: 5000 }, (_, index) => `r${index}`);
    const rows = diffLines(["first", ...left, "last"], ["first", ...right, "last"]);
    expect([rows[0]?.kind, rows.at(-1)?.kind, rows.length]).toEqual(["same", "same", 5002]);
  });

  it("leave out what is the same far from a change", () => {
    const left = Array.from({ length: 20 }, (_, index) => `${index}`);
    const right = left.with(10, "x");
    const folded = foldSame(diffLines(left, right), 2);
    expect(folded.map((row) => (typeof row === "number" ? row : row.left?.text))).toEqual([8, "8", "9", "10", "11", "12", 7]);
    expect(foldSame(diffLines(left, left), 2)).toEqual([20]);
  });
});
