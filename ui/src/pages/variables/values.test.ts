import { describe, expect, it } from "vitest";
import { kindOf, nounOf, previewOf, readValue, search, textOf } from "./values";

describe("values as they are typed", () => {
  it.each([[""], ["hello"], ["  kept as typed "], ['{"no": "JSON"}']])("text is what it is: %j", (text) => {
    expect(readValue("text", text)).toEqual({ value: text });
  });

  it.each([
    ["7", 7],
    [' {"a": [1, 2.5, null]} ', { a: [1, 2.5, null] }],
    ['"quoted"', "quoted"],
    ["false", false],
  ])("JSON is read: %s", (text, value) => {
    expect(readValue("json", text)).toEqual({ value });
  });

  it.each([[""], ["{"], ["nothing"], ["{'a': 1}"]])("what is no JSON is refused with a reason: %j", (text) => {
    expect(readValue("json", text)).toHaveProperty("fault");
  });

  it("a number that would come out as another one is refused, and one that would not is taken", () => {
    expect(readValue("json", '{"id": 9007199254740993}')).toHaveProperty("fault");
    expect(readValue("json", "9007199254740991")).toEqual({ value: 9007199254740991 });
    expect(readValue("json", '"9007199254740993"')).toEqual({ value: "9007199254740993" });
  });

  it.each([["text"], [7], [null], [{ a: [1] }], [true]])("comes back as it was: %j", (value) => {
    expect(readValue(kindOf(value), textOf(value))).toEqual({ value });
  });
});

describe("values as they are listed", () => {
  it("stand on one line, and a long one is cut", () => {
    expect(previewOf("a\n\tb")).toBe("a b");
    expect(previewOf("x".repeat(300))).toBe(`${"x".repeat(200)}…`);
    expect(previewOf({ a: 1 })).toBe('{"a":1}');
  });

  it.each([
    ["text", "a"],
    ["number", 1.5],
    ["true or false", false],
    ["null", null],
    ["list of 1", [1]],
    ["list of 0", []],
    ["object", {}],
  ])("are called %s", (noun, value) => {
    expect(nounOf(value)).toBe(noun);
  });

  it("are found by name and by value", () => {
    const all = [
      { name: "SHOP_URL", value: "https://shop.example" },
      { name: "limits", value: { per_day: 7 } },
    ];
    expect(search(all, "shop_u").map(({ name }) => name)).toEqual(["SHOP_URL"]);
    expect(search(all, "PER_DAY").map(({ name }) => name)).toEqual(["limits"]);
    expect(search(all, " ")).toBe(all);
    expect(search(all, "nothing")).toEqual([]);
  });
});
