import { describe, expect, test } from "vitest";
import { NODE_HEIGHT, NODE_WIDTH, edgesOf, layOut, walk } from "./layout";
import { LABEL_MARGIN, labelsOf, widthOf } from "./ports";

const STEPS = [
  { id: "fetch" },
  { id: "large", after: ["fetch"] },
  { id: "notify", after: ["large.true"] },
  { id: "pause", after: ["large.false"] },
  { id: "rescue", after: ["fetch.error"] },
  { id: "close", after: ["notify", "pause"] },
];

function place(steps: readonly { id: string; after?: string[] }[]) {
  const edges = edgesOf(steps);
  return {
    edges,
    places: layOut(
      steps.map((step) => step.id),
      edges,
    ),
  };
}

describe("the layout", () => {
  test("edges tell the port that they leave by, and leave out steps that are not there", () => {
    expect(edgesOf([{ id: "a" }, { id: "b", after: ["a.error", "gone", "a"] }])).toEqual([
      { source: "a", target: "b", port: "error" },
      { source: "a", target: "b", port: undefined },
    ]);
  });

  test("every step lies right of all that it waits for", () => {
    const { places, edges } = place(STEPS);
    for (const { source, target } of edges) {
      expect((places.get(target)?.x ?? 0) - (places.get(source)?.x ?? 0)).toBeGreaterThanOrEqual(NODE_WIDTH);
    }
  });

  test.each(["no", "false", "express", "needs_a_second_look", "n".repeat(63)])("the label of a port called %s touches no step and no track", (port) => {
    const { places, edges } = place([{ id: "route" }, { id: "next", after: [`route.${port}`] }, { id: "other", after: ["route.default"] }]);
    for (const [id, label] of labelsOf(edges)) {
      const { x = 0, turn = 0 } = places.get(id) ?? {};
      expect(x - LABEL_MARGIN - widthOf(label)).toBeGreaterThanOrEqual(turn + 2 * LABEL_MARGIN);
      expect(turn).toBeGreaterThan((places.get("route")?.x ?? 0) + NODE_WIDTH);
    }
  });

  test("columns stand apart by the labels before them, and no further", () => {
    const gap = (ports: string[]) => (place([{ id: "a" }, { id: "b", after: ports.map((port) => `a.${port}`) }]).places.get("b")?.x ?? 0) - NODE_WIDTH;
    expect([gap(["true"]), gap(["express"]), gap(["x".repeat(63)])]).toEqual([96, 112, 192]);
    const { places } = place([{ id: "a" }, { id: "b", after: ["a.a_very_long_name"] }, { id: "c", after: ["b"] }]);
    expect((places.get("c")?.x ?? 0) - (places.get("b")?.x ?? 0)).toBe(NODE_WIDTH + 96);
  });

  test("no two steps overlap", () => {
    const all = [...place(STEPS).places.values()];
    for (const [index, one] of all.entries()) {
      for (const other of all.slice(index + 1)) {
        expect(Math.abs(one.x - other.x) >= NODE_WIDTH || Math.abs(one.y - other.y) >= NODE_HEIGHT).toBe(true);
      }
    }
  });

  test("two branches do not cross where they need not", () => {
    const { places } = place([
      { id: "a" },
      { id: "b" },
      { id: "after_b", after: ["b"] },
      { id: "after_a", after: ["a"] },
    ]);
    const isAbove = (one: string, other: string) => (places.get(one)?.y ?? 0) < (places.get(other)?.y ?? 0);
    expect(isAbove("a", "b")).toBe(isAbove("after_a", "after_b"));
  });

  test("a chain as long as a definition may be is laid out in one row", () => {
    const { places } = place(
      Array.from({ length: 2000 }, (_, index) => ({ id: `s${index}`, after: index === 0 ? [] : [`s${index - 1}`] })),
    );
    expect(new Set([...places.values()].map(({ y }) => y))).toEqual(new Set([0]));
    expect(places.get("s1999")?.rank).toBe(1999);
  });

  test("arrows walk along the tracks and between neighbours", () => {
    const { places, edges } = place(STEPS);
    expect(walk("fetch", "ArrowRight", places, edges)).toBe("large");
    expect(walk("large", "ArrowLeft", places, edges)).toBe("fetch");
    const [upper, lower] = (places.get("notify")?.y ?? 0) < (places.get("pause")?.y ?? 0) ? ["notify", "pause"] : ["pause", "notify"];
    expect(walk(upper as string, "ArrowDown", places, edges)).toBe(lower);
    expect(walk(lower as string, "ArrowUp", places, edges)).toBe(upper);
    expect(walk(upper as string, "ArrowUp", places, edges)).toBeUndefined();
    expect(walk("nowhere", "ArrowRight", places, edges)).toBe("fetch");
  });
});
