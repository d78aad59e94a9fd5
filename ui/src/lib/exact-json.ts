/**
 * JSON whose numbers stay what they are.
 *
 * The product keeps 64 bits of an integer, as many as ids of other systems have, and more where a document has them; a number of
 * JavaScript holds 53. Those beyond are read as BigInt. The product also tells 1.0 from 1, which JavaScript does not: what would come out as
 * an integer, and is none, is kept as it is written, and so are -0, which would lose its sign, and what is beyond all doubles. So nothing is shown or sent that is another number.
 */

/** A number whose value is whole, and which JavaScript would write as another one: 1.0, -0, 1e400. It is for showing and sending alone. */
export class WholeDouble {
  constructor(readonly text: string) {}
}

/** Where such a number may stand; most texts have none, and are read by the browser alone. */
const MAY_BE_SPECIAL = /(?:^|[[:,\s])(?:-0|-?(?:\d{16}|\d+\.0+(?!\d)|\d+(?:\.\d+)?[eE]))/;
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;
const MINUS_ZERO = "-0";

/** The value of a JSON text. Raises SyntaxError. */
export function readExact(text: string): unknown {
  if (!MAY_BE_SPECIAL.test(text)) return JSON.parse(text) as unknown;
  const mark = makeMark();
  const marked = text.replace(TOKEN, (token) => (isSpecial(token) ? `"${mark}${token}"` : token));
  return JSON.parse(marked, (_, part: unknown) => (typeof part === "string" && part.startsWith(mark) ? keep(part.slice(mark.length)) : part)) as unknown;
}

/** A value as JSON, laid out by so many spaces; what is no value is an empty text. */
export function writeExact(value: unknown, spaces = 0): string {
  const mark = makeMark();
  let hasMarks = false;
  const mask = (_: string, part: unknown) => {
    if (typeof part !== "bigint" && !(part instanceof WholeDouble)) return part;
    hasMarks = true;
    return mark + (typeof part === "bigint" ? String(part) : part.text);
  };
  // For a function, or nothing at all, there is no text, whatever the types say.
  const text = (JSON.stringify(value, mask, spaces) as string | undefined) ?? "";
  return hasMarks ? text.replace(new RegExp(`"${mark}([^"]+)"`, "g"), "$1") : text;
}

/** Whether a token is a number that JavaScript would write as another one. */
function isSpecial(token: string): boolean {
  if (token.startsWith('"')) return false;
  if (token === MINUS_ZERO) return true;
  if (INTEGER.test(token)) return token.length > 15 && !Number.isSafeInteger(Number(token));
  return !Number.isFinite(Number(token)) || INTEGER.test(String(Number(token)));
}

function keep(token: string): bigint | WholeDouble {
  return INTEGER.test(token) && token !== MINUS_ZERO ? BigInt(token) : new WholeDouble(token);
}

/** What stands for a number on its way; nobody can have put it into a text before. */
function makeMark(): string {
  return `number-${Math.random().toString(36).slice(2)}:`;
}
