import { describe, expect, it } from "vitest";
import { readExact } from "@/lib/exact-json";
import { formatJson } from "@/lib/json-text";
import { kindOf, nounOf, previewOf, readValue, search, textOf } from "./values";

describe("values as they are typed", () => {
  it.each([[""], ["hello"], ["  kept as typed "], ['{"no": "JSON"}']])("text is what it is: %j", (text) => {
    expect(readValue("text", text)).toEqual({ json: JSON.stringify(text) });
  });

  it.each([["7"], [' {"a": [1, 2.5, null]} '], ['"quoted"'], ["false"], ['{"id": 9007199254740993, "rate": 1.0}'], ["18446744073709551615"]])(
    "JSON goes as it is written: %s",
    (text) => {
      expect(readValue("json", text)).toEqual({ json: text });
    },
  );

  it.each([[""], ["{"], ["nothing"], ["{'a': 1}"]])("what is no JSON is refused with a reason: %j", (text) => {
    expect(readValue("json", text)).toHaveProperty("fault");
  });

  it.each(['"text"', "7", "null", '{"a":[1]}', "true", "9007199254740993", '{"id":-9223372036854775808,"rate":1.0}'])(
    "comes back as it was: %s",
    (json) => {
      const value = readExact(json);
      const read = readValue(kindOf(value), textOf(value));
      expect("json" in read && formatJson(read.json)).toBe(formatJson(json));
    },
  );
});

describe("values as they are listed", () => {
  it("stand on one line, and a long one is cut", () => {
    expect(previewOf("a\n\tb")).toBe("a b");
    expect(previewOf("x".repeat(300))).toBe(`${"x".repeat(200)}…`);
    expect(previewOf({ a: 1 })).toBe('{"a":1}');
    expect(previewOf(readExact('{"id": 9007199254740993, "rate": 1.0}'))).toBe('{"id":9007199254740993,"rate":1.0}');
  });

  it.each([
    ["text", "a"],
    ["number", 1.5],
    ["number", 9007199254740993n],
    ["number", readExact("1.0")],
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
