import { WholeDouble, readExact, writeExact } from "@/lib/exact-json";
import { TextFault, formatJson, isDouble, lineOf, tokensOf, walkJson } from "@/lib/json-text";

export const FORMATS = ["json", "yaml"] as const;
export type Format = (typeof FORMATS)[number];

/** A text as JSON, and on which line each pointer of it stands. */
export interface ReadText {
  json: string;
  lines: ReadonlyMap<string, number>;
  /** It has comments, for which JSON has no place. */
  hasComments: boolean;
}

/** Read what somebody wrote. Raises TextFault with the place of what is wrong. */
export async function readText(text: string, format: Format): Promise<ReadText> {
  return format === "json" ? readJson(text) : readYaml(text);
}

/** A definition as it stands in the field. */
export interface Written {
  text: string;
  format: Format;
}

/** Write JSON for people. Raises an error that says so where YAML would change it, and where YAML cannot be loaded. */
export async function writeText(json: string, format: Format): Promise<string> {
  return format === "yaml" ? writeYaml(json) : writeJson(json);
}

/** The same, as JSON where YAML will not do: so it never fails. */
export async function writeOrJson(json: string, format: Format): Promise<Written> {
  return writeText(json, format).then(
    (text) => ({ text, format }),
    () => ({ text: writeJson(json), format: "json" }),
  );
}

function writeJson(json: string): string {
  return json.includes("\n") ? json : formatJson(json);
}

/** What is written is read back: only so is it certain that each number is the same, and each key in its place. */
async function writeYaml(json: string): Promise<string> {
  const { Document, Scalar } = await import("yaml");
  const write = (_: unknown, part: unknown) => {
    if (!(part instanceof WholeDouble)) return part;
    const double = new Scalar(Number(part.text));
    double.minFractionDigits = 1;
    return double;
  };
  const yaml = new Document(readExact(json), write).toString({ lineWidth: 110 });
  if (!isSame(json, (await readYaml(yaml)).json)) throw new Error("YAML would change its numbers or the order of its keys.");
  return yaml;
}

/** Whether two JSON texts say the same in the same order, however their numbers and texts are spelled. */
function isSame(one: string, other: string): boolean {
  const [mine, theirs] = [tokensOf(one).map(spell), tokensOf(other).map(spell)];
  return mine.length === theirs.length && mine.every((token, index) => token === theirs[index]);
}

/** A token in the one way that all of its spellings share; integers keep their digits, doubles are told from them. */
function spell(token: string): string {
  if (token.startsWith('"')) return JSON.stringify(JSON.parse(token));
  return isDouble(token) ? `${Number(token)} as a double` : token;
}

function readJson(text: string): ReadText {
  const lines = new Map<string, number>();
  const lineAt = counter(text);
  walkJson(text, (pointer, offset) => lines.set(pointer, lineAt(offset)));
  return { json: text, lines, hasComments: false };
}

async function readYaml(text: string): Promise<ReadText> {
  const { isMap, isNode, isScalar, isSeq, parseDocument, visit: walk } = await import("yaml");
  const document = parseDocument(text, { prettyErrors: false, intAsBigInt: true });
  const [fault] = document.errors;
  if (fault !== undefined) throw new TextFault(fault.message, fault.pos[0]);
  const lines = new Map<string, number>();
  const visit = (node: unknown, pointer: string) => {
    const range = (node as { range?: [number, number, number] | null } | null)?.range;
    if (range != null) lines.set(pointer, lineOf(text, range[0]));
    if (isSeq(node)) node.items.forEach((item, index) => visit(item, `${pointer}/${index}`));
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      const name = String(isScalar(key) ? key.value : key);
      const place = `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      visit(value, place);
      // A value may stand on the lines after its key; a fault is looked for at the key.
      const at = isScalar(key) ? key.range?.[0] : undefined;
      if (at !== undefined) lines.set(place, lineOf(text, at));
    }
  };
  visit(document.contents, "");
  let hasComments = saysMore(document);
  walk(document, (place, node) => {
    hasComments ||= isNode(node) && saysMore(node);
    if (place !== "key" && isScalar(node) && isWholeDouble(node.value)) node.value = new WholeDouble(`${node.value}.0`);
  });
  try {
    return { json: writeExact(document.toJS() ?? null), lines, hasComments };
  } catch (error) {
    throw new TextFault(error instanceof Error ? error.message : String(error), 0);
  }
}

function saysMore({ comment, commentBefore }: { comment?: string | null; commentBefore?: string | null }): boolean {
  return [comment, commentBefore].some((text) => text != null && text !== "");
}

/** Whether JavaScript would write it as an integer, which it was not: those are read as BigInt. */
function isWholeDouble(value: unknown): value is number {
  return typeof value === "number" && /^-?\d+$/.test(String(value));
}

/** Lines of offsets that only grow, each newline counted once. */
function counter(text: string): (offset: number) => number {
  let line = 1;
  let next = text.indexOf("\n");
  return (offset) => {
    while (next !== -1 && next < offset) {
      line += 1;
      next = text.indexOf("\n", next + 1);
    }
    return line;
  };
}
