import { describe, expect, it } from "vitest";
import { type Item, MOST_ITEMS, type Side, findFirstDifference } from "./items";

const CREATED = "2026-01-01T00:00:00.000Z";
const PAGE = 200;

function item(index: number, output: unknown = index): Item {
  const step = { id: "double", path: `each[${index}].double`, type: "transform", name: null, status: "succeeded", started_at: CREATED };
  const steps = [{ ...step, time: null, input: null, output, error: null, port: null }];
  return { index, path: `each[${index}]`, status: "succeeded", error: null, started_at: CREATED, finished_at: CREATED, steps } as unknown as Item;
}

const count = (length: number) => Array.from({ length }, (_, index) => item(index));

/** A run whose loop has these items; the cursors that were asked for are noted. */
function side(items: readonly Item[], asked: (string | null)[] = []): Side {
  const read = (cursor: string | null) => {
    asked.push(cursor);
    const from = Number(cursor ?? 0);
    const next = from + PAGE;
    return Promise.resolve({ items: items.slice(from, next), next_cursor: next < items.length ? String(next) : null });
  };
  return { created_at: CREATED, read };
}

describe("the items of a loop in two runs", () => {
  it("are all the same where no step of any differs", async () => {
    expect(await findFirstDifference(side(count(450)), side(count(450)))).toEqual({ first: undefined, same: 450, isWhole: true });
    expect(await findFirstDifference(side([]), side([]))).toEqual({ first: undefined, same: 0, isWhole: true });
  });

  it("part at the first one with a step that differs, and nothing beyond it is read", async () => {
    const others = count(900);
    others[210] = item(210, "another");
    others[300] = item(300, "another");
    const asked: (string | null)[] = [];
    const { first, same } = await findFirstDifference(side(count(900), asked), side(others));
    expect(first?.path).toBe("each[210]");
    expect(first?.steps.map(({ path, differences }) => [path, differences])).toEqual([["each[210].double", ["output"]]]);
    expect(same).toBe(210);
    expect(asked).toEqual([null, "200"]);
  });

  it("part where only one of them has an item, at the end or in between", async () => {
    const { first } = await findFirstDifference(side(count(3)), side(count(5)));
    expect([first?.path, first?.a, first?.b?.index]).toEqual(["each[3]", undefined, 3]);
    const gap = await findFirstDifference(side(count(3)), side(count(3).filter(({ index }) => index !== 1)));
    expect([gap.first?.path, gap.first?.a?.index, gap.first?.b]).toEqual(["each[1]", 1, undefined]);
  });

  it("part where an item ended in another way", async () => {
    const broken = { ...item(0), status: "cancelled" } as Item;
    expect((await findFirstDifference(side([item(0)]), side([broken]))).first?.path).toBe("each[0]");
  });

  it("are compared up to a bound, and what lies beyond is not taken for the same", async () => {
    const others = count(MOST_ITEMS + 1);
    others[MOST_ITEMS] = item(MOST_ITEMS, "another");
    const asked: (string | null)[] = [];
    const found = await findFirstDifference(side(count(MOST_ITEMS + 1), asked), side(others));
    expect(found).toEqual({ first: undefined, same: MOST_ITEMS, isWhole: false });
    expect(asked).toHaveLength(MOST_ITEMS / PAGE);
  });
});
