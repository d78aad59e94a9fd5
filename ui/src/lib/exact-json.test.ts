import { describe, expect, it } from "vitest";
import { WholeDouble, readExact, writeExact } from "./exact-json";

describe("JSON with integers of 64 bits", () => {
  it("is read without changing any", () => {
    expect(readExact('{"id": 9007199254740993, "more": [-9223372036854775808,18446744073709551615]}')).toEqual({
      id: 9007199254740993n,
      more: [-9223372036854775808n, 18446744073709551615n],
    });
    expect(readExact("9007199254740993")).toBe(9007199254740993n);
  });

  it("has numbers where those are exact", () => {
    expect(readExact("[9007199254740991, -9007199254740991, 1.2345678901234567, 1e30, 0, 1.005, 12.5e-3, -0.5, 1.5e300]")).toEqual([
      9007199254740991, -9007199254740991, 1.2345678901234567, 1e30, 0, 1.005, 0.0125, -0.5, 1.5e300,
    ]);
    expect(readExact('{"a": 0.5, "at": "2026-11-27T12:00:00.0Z"}')).toEqual({ a: 0.5, at: "2026-11-27T12:00:00.0Z" });
  });

  it.each(["1.0", "-0.0", "100.00", "1e16", "1E3", "2.5e1", "12345678901234567890.5", "-0", "1e400", "-1.5E400"])("keeps a number that JavaScript would write as another one: %s", (text) => {
    expect(readExact(`{"price": ${text}}`)).toEqual({ price: new WholeDouble(text) });
    expect(writeExact(readExact(`[${text},{"text":"${text}"}]`))).toBe(`[${text},{"text":"${text}"}]`);
  });

  it.each([
    ['"id: 9007199254740993, more"'],
    ['"say \\"id\\": 9007199254740993 \\\\"'],
    ['"9007199254740993"'],
    ['["\\\\", "a, 9007199254740993"]'],
    ['{"a: 9007199254740993": "b"}'],
  ])("has texts that only look like it, as %s", (text) => {
    expect(readExact(text)).toEqual(JSON.parse(text));
    // Beside one that is meant, texts stay texts as well.
    expect(readExact(`[${text}, 9007199254740993]`)).toEqual([JSON.parse(text), 9007199254740993n]);
  });

  it.each(["", "{", "01.0", "1.0.0", "[1.0", "[9007199254740993", "09007199254740993", "[9007199254740993 1]", "- 9007199254740993"])("is refused where it is none: %s", (text) => {
    expect(() => readExact(text)).toThrow(SyntaxError);
  });

  it.each(['{"id":9007199254740993,"more":[-9223372036854775808,{"text":"9007199254740993"}]}', "[]", "null", '"text"', "18446744073709551615", `[${"7".repeat(400)},1.0,1]`, '{"id":12345678901234567890123,"price":1.0,"far":1e400,"none":-0}', "-0"])(
    "comes out as it went in: %s",
    (text) => {
      expect(writeExact(readExact(text))).toBe(text);
    },
  );

  it("is laid out for people", () => {
    expect(writeExact({ id: 9007199254740993n, list: [1n] }, 2)).toBe('{\n  "id": 9007199254740993,\n  "list": [\n    1\n  ]\n}');
  });

  it("is nothing for what is no value", () => {
    expect(writeExact(undefined)).toBe("");
  });
});
