import { WholeDouble, writeExact } from "@/lib/exact-json";
import { TextFault, formatJson, lineOf, walkJson } from "@/lib/json-text";

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

/** Write JSON for people. */
export async function writeText(json: string, format: Format): Promise<string> {
  if (format === "json") return json.includes("\n") ? json : formatJson(json);
  const { stringify } = await import("yaml");
  return stringify(JSON.parse(json), { lineWidth: 110 });
}

/** Whether nothing of a JSON text is lost on the way through YAML: numbers like 1.0, or too long for JavaScript. */
export function isExact(json: string): boolean {
  return formatJson(json) === formatJson(JSON.stringify(JSON.parse(json)));
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
