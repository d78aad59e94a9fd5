import { describe, expect, it } from "vitest";
import { MOST_TICKED, NO_TICKS, type Ticks, tickOne, tickStretch } from "./ticks";

const IDS = ["a", "b", "c", "d", "e"];
const told = ({ ticked }: Ticks) => [...ticked].sort().join("");

describe("runs that are ticked", () => {
  it("are ticked one by one, and unticked so", () => {
    expect(told(tickOne(tickOne(NO_TICKS, "b"), "d"))).toBe("bd");
    expect(told(tickOne(tickOne(NO_TICKS, "b"), "b"))).toBe("");
  });

  it.each([
    ["downwards", "b", "d", "bcd"],
    ["upwards", "d", "b", "bcd"],
    ["by itself", "c", "c", ""],
  ])("are a stretch %s", (_, from, to, ticked) => {
    expect(told(tickStretch(tickOne(NO_TICKS, from), to, IDS))).toBe(ticked);
  });

  it("become what the end of the stretch becomes, and the others stay as they are", () => {
    const all = IDS.reduce(tickOne, NO_TICKS);
    expect(told(tickStretch(tickOne(all, "b"), "d", IDS))).toBe("ae");
  });

  it("go on from the end of the stretch before", () => {
    const first = tickStretch(tickOne(NO_TICKS, "a"), "b", IDS);
    expect(told(tickStretch(first, "d", IDS))).toBe("abcd");
  });

  it.each([
    ["nothing was ticked before", NO_TICKS, "c"],
    ["what was ticked before is not listed any more", tickOne(NO_TICKS, "z"), "cz"],
  ])("are the one alone where %s", (_, before, ticked) => {
    expect(told(tickStretch(before, "c", IDS))).toBe(ticked);
  });

  it("are no more than something can be done to at once, from where the stretch begins", () => {
    const many = Array.from({ length: MOST_TICKED + 5 }, (_, index) => String(index));
    const { ticked } = tickStretch(tickOne(NO_TICKS, String(MOST_TICKED + 4)), "0", many);
    expect(ticked.size).toBe(MOST_TICKED);
    expect(ticked.has("4")).toBe(false);
    expect(ticked.has("5")).toBe(true);
  });
});
