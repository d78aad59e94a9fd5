import { describe, expect, it } from "vitest";
import { TextFault, formatJson } from "@/lib/json-text";
import { readText, writeOrJson, writeText } from "./texts";

const YAML = `schema: 1
steps:
  - id: fetch
    type: http
    with:
      url: "https://shop.example/orders/{{ trigger.body.id }}"
  - id: pause
    type: delay
    after: [fetch]
`;

describe("a definition as a text", () => {
  it("of YAML is read with the line of each pointer", async () => {
    const { json, lines } = await readText(YAML, "yaml");
    expect(JSON.parse(json)).toEqual({
      schema: 1,
      steps: [
        { id: "fetch", type: "http", with: { url: "https://shop.example/orders/{{ trigger.body.id }}" } },
        { id: "pause", type: "delay", after: ["fetch"] },
      ],
    });
    expect([lines.get("/steps"), lines.get("/steps/0/with/url"), lines.get("/steps/1"), lines.get("/steps/1/after/0")]).toEqual([2, 6, 7, 9]);
  });

  it.each([
    ["a line of its own", `# what this is\n${YAML}`, true],
    ["the end of a line", YAML.replace("type: http", "type: http # the shop"), true],
    ["the last line", `${YAML}# that is all\n`, true],
    ["a text in quotes", YAML.replace("orders/", "orders#"), false],
    ["nothing", YAML, false],
  ])("of YAML tells of comments: in %s", async (_, text, hasComments) => {
    expect((await readText(text, "yaml")).hasComments).toBe(hasComments);
  });

  it("of JSON stays as it was written", async () => {
    const text = '{\n  "schema": 1.0,\n  "steps": [\n    {"id": "a"}\n  ]\n}';
    const { json, lines } = await readText(text, "json");
    expect(json).toBe(text);
    expect([lines.get("/schema"), lines.get("/steps/0/id")]).toEqual([2, 4]);
  });

  it.each([
    ["json", '{\n  "a": 1,\n}', 3],
    ["yaml", "a: 1\nb: [1\n", 2],
    ["yaml", "a: 1\na: 2\n", 2],
  ] as const)("of faulty %s tells where", async (format, text, line) => {
    const fault = await readText(text, format).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(fault).toBeInstanceOf(TextFault);
    expect(text.slice(0, (fault as TextFault).offset).split("\n").length).toBeGreaterThanOrEqual(line);
  });

  it("goes from one format to the other and back", async () => {
    const { json } = await readText(YAML, "yaml");
    const written = await writeText(json, "yaml");
    expect(JSON.parse((await readText(written, "yaml")).json)).toEqual(JSON.parse(json));
    expect(JSON.parse(await writeText(json, "json"))).toEqual(JSON.parse(json));
  });

  it("of YAML keeps every digit of a number", async () => {
    const { json, lines } = await readText("id: 9007199254740993\nlist: [-9223372036854775808, 0x10, 1, 1.5]\n12: x\n", "yaml");
    expect(formatJson(json)).toBe(formatJson('{"12": "x", "id": 9007199254740993, "list": [-9223372036854775808, 16, 1, 1.5]}'));
    expect(lines.get("/12")).toBe(3);
  });

  it("of YAML tells 1.0 from 1", async () => {
    const { json } = await readText("rate: 1.0\nmore: [1, 1., -2.50e1, 1e30, 0.5, '1.0']\n", "yaml");
    expect(formatJson(json)).toBe(formatJson('{"rate": 1.0, "more": [1, 1.0, -25.0, 1e+30, 0.5, "1.0"]}'));
  });

  it("is written as YAML with the numbers that it has", async () => {
    const json = '{"schema": 1, "id": 12345678901234567890, "rate": 1.0, "more": [-25.0, 2.50, 1e30, 1e-7, "1.0", "caf\\u00e9"]}';
    const { text, format } = await writeOrJson(json, "yaml");
    expect([format, text]).toEqual([
      "yaml",
      'schema: 1\nid: 12345678901234567890\nrate: 1.0\nmore:\n  - -25.0\n  - 2.5\n  - 1e+30\n  - 1e-7\n  - "1.0"\n  - café\n',
    ]);
    expect(formatJson((await readText(text, "yaml")).json)).toBe(
      formatJson('{"schema": 1, "id": 12345678901234567890, "rate": 1.0, "more": [-25.0, 2.5, 1e+30, 1e-7, "1.0", "café"]}'),
    );
  });

  it.each([
    ["keys in another order", '{"b": 1, "2": 1, "1": 1}'],
    ["a zero without its sign", '{"a": -0}'],
    ["keys that come twice", '{"a": 1, "a": 2}'],
    ["no number", '{"a": 1e400}'],
  ])("of which YAML would make %s is written as JSON", async (_, json) => {
    await expect(writeText(json, "yaml")).rejects.toThrow("YAML would change its numbers or the order of its keys.");
    expect(await writeOrJson(json, "yaml")).toEqual({ text: formatJson(json), format: "json" });
  });

  it("of YAML that refers to itself again and again comes to an end", async () => {
    const bomb = `a: &a [x, x]\n${"bcdefghij".split("").map((name, index) => `${name}: &${name} [${Array(10).fill(`*${"abcdefghij"[index]}`).join(", ")}]`).join("\n")}`;
    await expect(readText(bomb, "yaml")).rejects.toBeInstanceOf(TextFault);
  });
});
