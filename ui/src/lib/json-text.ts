/** What is wrong with a text, and where: an offset into it. */
export class TextFault extends Error {
  constructor(
    message: string,
    readonly offset: number,
  ) {
    super(message);
    this.name = "TextFault";
  }
}

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
// eslint-disable-next-line no-control-regex -- a string of JSON holds none of them as they are
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
/** As deep as the API takes; deeper, this would run out of stack. */
const DEEPEST = 200;

type Visit = (pointer: string, offset: number) => void;

/** Walk through a JSON text: `visit` is told where each value begins, by its JSON pointer. Raises TextFault. */
export function walkJson(text: string, visit: Visit): void {
  const end = skip(text, readValue(text, skip(text, 0), "", visit, 0));
  if (end < text.length) throw new TextFault("there is more text after the end", end);
}

/** The text of the value at a pointer, letter by letter; undefined where there is none. Raises TextFault. */
export function sliceJson(text: string, pointer: string): string | undefined {
  let start: number | undefined;
  walkJson(text, (at, offset) => {
    if (at === pointer) start ??= offset;
  });
  return start === undefined ? undefined : text.slice(start, readValue(text, start, "", () => undefined, 0));
}

function skip(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.test(text);
  return SPACE.lastIndex;
}

function readValue(text: string, at: number, pointer: string, visit: Visit, depth: number): number {
  if (depth > DEEPEST) throw new TextFault("this is nested too deeply", at);
  visit(pointer, at);
  const first = text[at];
  if (first === "{") return readParts(text, at, "}", (place) => readMember(text, place, pointer, visit, depth));
  if (first === "[") {
    let index = 0;
    return readParts(text, at, "]", (place) => readValue(text, place, `${pointer}/${index++}`, visit, depth + 1));
  }
  const found = first === '"' ? take(STRING, text, at) : take(SCALAR, text, at);
  if (found === undefined) throw new TextFault(first === undefined ? "the text ends too early" : tellUnexpected(text, at), at);
  if (first !== '"' && isBeyondDoubles(text.slice(at, found))) throw new TextFault("this number is too large: they go up to about 1.797e308", at);
  return found;
}

function readMember(text: string, at: number, pointer: string, visit: Visit, depth: number): number {
  const end = take(STRING, text, at);
  if (end === undefined) throw new TextFault(at >= text.length ? "the text ends too early" : "a key in double quotes is expected here", at);
  const key = String(JSON.parse(text.slice(at, end)));
  const colon = skip(text, end);
  if (text[colon] !== ":") throw new TextFault("a colon is expected after a key", colon);
  return readValue(text, skip(text, colon + 1), `${pointer}/${escapeKey(key)}`, visit, depth + 1);
}

function readParts(text: string, at: number, close: string, readOne: (place: number) => number): number {
  let place = skip(text, at + 1);
  if (text[place] === close) return place + 1;
  for (;;) {
    place = skip(text, readOne(place));
    if (text[place] === close) return place + 1;
    if (text[place] !== ",") {
      throw new TextFault(place >= text.length ? "the text ends too early" : `a comma or ${close} is expected here`, place);
    }
    place = skip(text, place + 1);
  }
}

/** Whether a scalar of JSON is a number that is held as a double: integers have all their digits, all others are doubles. */
export function isDouble(scalar: string): boolean {
  return /^-?\d+[.eE]/.test(scalar);
}

/** Whether it is a number that the API refuses. */
function isBeyondDoubles(scalar: string): boolean {
  return isDouble(scalar) && !Number.isFinite(Number(scalar));
}

function take(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function tellUnexpected(text: string, at: number): string {
  return text[at] === '"' ? "this text in quotes is not closed, or has a character that must be escaped" : `${JSON.stringify(text[at])} is not expected here`;
}

function escapeKey(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** The line of an offset, from 1. */
export function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}

/** The place of a pointer, or of the nearest thing around it that is there. */
export function findNearest<Place>(places: ReadonlyMap<string, Place>, pointer: string): Place | undefined {
  for (let at = pointer; ; at = at.slice(0, at.lastIndexOf("/"))) {
    const found = places.get(at);
    if (found !== undefined || at === "") return found;
  }
}

/** The brackets, commas, colons and scalars of a JSON text, letter by letter. */
export function tokensOf(text: string): readonly string[] {
  return text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
}

/** Lay out a JSON text by two spaces, letter by letter: numbers and the order of keys stay as they were written. */
export function formatJson(text: string): string {
  let out = "";
  let depth = 0;
  const tokens = tokensOf(text);
  for (const [index, token] of tokens.entries()) {
    const isEmpty = (token === "}" && tokens[index - 1] === "{") || (token === "]" && tokens[index - 1] === "[");
    if ((token === "}" || token === "]") && !isEmpty) out += newLine(--depth);
    else if (isEmpty) depth -= 1;
    out += token;
    const next = tokens[index + 1];
    if (token === "{" || token === "[") {
      depth += 1;
      if (next !== "}" && next !== "]") out += newLine(depth);
    } else if (token === ",") out += newLine(depth);
    else if (token === ":") out += " ";
  }
  return out;
}

function newLine(depth: number): string {
  return `\n${"  ".repeat(depth)}`;
}

/** The JSON of an object with one field more, whose JSON is taken letter by letter. */
export function addJson(object: Readonly<Record<string, unknown>>, name: string, json: string): string {
  const fields = Object.entries(object).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  return `{${[...fields, `${JSON.stringify(name)}: ${json}`].join(", ")}}`;
}

/** What is wrong with a text that should be JSON, by its line; undefined where nothing is. */
export function faultOfJson(text: string): ReadonlyMap<number, string> | undefined {
  try {
    walkJson(text, () => undefined);
    return undefined;
  } catch (error) {
    if (error instanceof TextFault) return new Map([[lineOf(text, error.offset), error.message]]);
    throw error;
  }
}
