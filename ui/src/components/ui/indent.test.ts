import { expect, it } from "vitest";
import { indentAfter } from "./indent";

it.each([
  ["nothing", "", ""],
  ["a line at the edge", "schema: 1", ""],
  ["a line that is indented", "a:\n    b: 1", "    "],
  ["a key of YAML that holds more", "steps:", "  "],
  ["an item of YAML", "steps:\n  - id: fetch", "    "],
  ["an item of YAML whose field holds more", "  - with:", "      "],
  ["an item of YAML that is a text", "after:\n  - fetch", "  "],
  ["an object of JSON", '{\n  "with": {', "    "],
  ["a list of JSON", '  "after": [ ', "    "],
  ["a field of JSON", '{\n  "schema": 1,', "  "],
  ["a list of JSON that is closed", '  "after": [],', "  "],
])("after %s, the next line begins there", (_, before, indent) => {
  expect(indentAfter(before)).toBe(indent);
});
