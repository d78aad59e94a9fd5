import { describe, expect, it } from "vitest";
import { readExact } from "@/lib/exact-json";
import { schemaOf, tableOf } from "./shape";

describe("a value as a table", () => {
  it("has a row for each object of a list, and a column for each of their fields", () => {
    expect(tableOf([{ id: 1, name: "a" }, { id: 2, tags: ["x"] }])).toEqual({
      columns: ["#", "id", "name", "tags"],
      rows: [
        ["0", "1", "a", ""],
        ["1", "2", "", '["x"]'],
      ],
      more: 0,
    });
  });

  it("lists plain items, and the fields of one object", () => {
    expect(tableOf([1, "two"])?.rows).toEqual([["0", "1"], ["1", "two"]]);
    expect(tableOf({ a: null, b: { c: 1 } })?.rows).toEqual([["a", "null"], ["b", '{"c":1}']]);
  });

  it("has every digit of an id", () => {
    expect(tableOf([{ id: 9007199254740993n, more: [9007199254740995n] }])?.rows).toEqual([["0", "9007199254740993", "[9007199254740995]"]]);
  });

  it("tells 1.0 from 1", () => {
    const table = tableOf(readExact('[{"price": 1.0, "count": 1}, {"price": [2.0], "count": {"all": 3.0}}]'));
    expect(table?.rows).toEqual([["0", "1.0", "1"], ["1", "[2.0]", '{"all":3.0}']]);
    expect(tableOf(readExact("1.0"))).toBeUndefined();
  });

  it("is none for what has no parts", () => {
    expect(tableOf("text")).toBeUndefined();
    expect(tableOf(null)).toBeUndefined();
  });

  it("stops at some length, and says how much is left", () => {
    const table = tableOf(Array.from({ length: 1000 }, (_, index) => ({ index })));
    expect(table?.rows.length).toBe(200);
    expect(table?.more).toBe(800);
    expect(tableOf({ long: "x".repeat(5000) })?.rows[0]?.[1]?.length).toBeLessThanOrEqual(201);
  });
});

describe("a value as a schema", () => {
  it("tells the types of all items of a list together, and which fields some lack", () => {
    const fields = schemaOf({ orders: [{ id: 1 }, { id: "b", note: null }] });
    expect(fields.map(({ path, name, types }) => [path, name, types])).toEqual([
      ["value", "value", "object"],
      ["value.orders", "orders", "list of 2"],
      ["value.orders[]", "[ ]", "object"],
      ["value.orders[].id", "id", "number or string"],
      ["value.orders[].note", "note?", "null"],
    ]);
  });

  it("calls a long integer a number", () => {
    expect(schemaOf([1, 9007199254740993n, readExact("1.0")]).at(-1)?.types).toBe("number");
  });

  it("comes to an end for whatever is given", () => {
    const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`f${index}`, index]));
    expect(schemaOf(wide).length).toBe(400);
    let deep: unknown = 1;
    for (let depth = 0; depth < 64; depth += 1) deep = [deep];
    expect(schemaOf(deep).length).toBe(13);
  });
});
