import { describe, expect, it } from "vitest";
import { TextFault, addJson, findNearest, formatJson, lineOf, sliceJson, walkJson } from "./json-text";

const TEXT = `{
  "steps": [
    {"id": "a", "with": {"a/b": 1, "m~n": []}},
    {"id": "b"}
  ]
}`;

function places(text: string): Map<string, number> {
  const found = new Map<string, number>();
  walkJson(text, (pointer, offset) => found.set(pointer, lineOf(text, offset)));
  return found;
}

function faultOf(text: string): [number, string] {
  try {
    walkJson(text, () => undefined);
  } catch (error) {
    if (error instanceof TextFault) return [error.offset, error.message];
    throw error;
  }
  throw new Error("no fault");
}

describe("a JSON text", () => {
  it("tells on which line each pointer is", () => {
    const found = places(TEXT);
    expect(found.get("")).toBe(1);
    expect(found.get("/steps/1/id")).toBe(4);
    expect(found.get("/steps/0/with/a~1b")).toBe(3);
    expect(found.get("/steps/0/with/m~0n")).toBe(3);
  });

  it("tells the nearest place of what is not there", () => {
    const found = places(TEXT);
    expect(findNearest(found, "/steps/1/type")).toBe(4);
    expect(findNearest(found, "/settings/timeout")).toBe(1);
    expect(findNearest(new Map(), "/x")).toBeUndefined();
  });

  it.each([
    ["a comma too many", "[1,]", 3],
    ["an end too early", '{"a": ', 6],
    ["a key without quotes", "{a: 1}", 1],
    ["a colon that is missing", '{"a" 1}', 5],
    ["a comma that is missing", "[1 2]", 3],
    ["a quote that is not closed", '["a]', 1],
    ["a text after the end", "{} x", 3],
    ["a number that is none", "[01]", 2],
    ["nothing at all", "", 0],
  ])("with %s tells its place", (_, text, offset) => {
    expect(faultOf(text)[0]).toBe(offset);
    expect(() => JSON.parse(text)).toThrow();
  });

  it("refuses numbers that no double holds, as the API does, and takes integers of any length", () => {
    expect(faultOf('{"near": 1e308, "far": 1e400}')).toEqual([23, "this number is too large: they go up to about 1.797e308"]);
    expect(faultOf("[-1.5E400]")[0]).toBe(1);
    expect([...places(`[${"7".repeat(400)}, 1e-400, true, false, -0]`).keys()]).toHaveLength(6);
  });

  it("gives a part of it as it is written", () => {
    expect(sliceJson('{"id": 7, "definition": {"b":1.0, "a": 12345678901234567890}, "x": []}', "/definition")).toBe(
      '{"b":1.0, "a": 12345678901234567890}',
    );
    expect(sliceJson("{}", "/definition")).toBeUndefined();
  });

  it("goes into an object letter by letter", () => {
    expect(addJson({ name: 'a "b"', enabled: true }, "definition", '{"b":1.0, "2": 9007199254740993, "1": 0}')).toBe(
      '{"name": "a \\"b\\"", "enabled": true, "definition": {"b":1.0, "2": 9007199254740993, "1": 0}}',
    );
    expect(addJson({}, "input", "[]")).toBe('{"input": []}');
  });

  it("that is nested endlessly is refused, and does not break the page", () => {
    expect(faultOf("[".repeat(100_000))[1]).toBe("this is nested too deeply");
  });

  it("is laid out as JSON.stringify would, and keeps what that would change", () => {
    const value = { a: [1, { b: [] }, {}], text: 'with "quotes", {braces} and: colons', none: null };
    expect(formatJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
    expect(formatJson('{"10":1.0,"2":12345678901234567890}')).toBe('{\n  "10": 1.0,\n  "2": 12345678901234567890\n}');
    expect(formatJson("7")).toBe("7");
  });
});
