/**
 * JSON whose integers stay what they are.
 *
 * The product keeps 64 bits of them, as many as ids of other systems have; a number of JavaScript holds 53. Those beyond are read as
 * BigInt and written as they came, so that nothing is shown or sent that is another one.
 */

/** Where such an integer may stand; most texts have none, and are read by the browser alone. */
const MAY_BE_LONG = /(?:^|[[:,\s])-?\d{16}/;
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d{16,}$/;

/** The value of a JSON text. Raises SyntaxError. */
export function readExact(text: string): unknown {
  if (!MAY_BE_LONG.test(text)) return JSON.parse(text) as unknown;
  const mark = makeMark();
  const marked = text.replace(TOKEN, (token) => (isLong(token) ? `"${mark}${token}"` : token));
  return JSON.parse(marked, (_, part: unknown) => (typeof part === "string" && part.startsWith(mark) ? BigInt(part.slice(mark.length)) : part)) as unknown;
}

/** A value as JSON, laid out by so many spaces; what is no value is an empty text. */
export function writeExact(value: unknown, spaces = 0): string {
  const mark = makeMark();
  let hasMarks = false;
  const mask = (_: string, part: unknown) => {
    if (typeof part !== "bigint") return part;
    hasMarks = true;
    return `${mark}${part}`;
  };
  // For a function, or nothing at all, there is no text, whatever the types say.
  const text = (JSON.stringify(value, mask, spaces) as string | undefined) ?? "";
  return hasMarks ? text.replace(new RegExp(`"${mark}(-?\\d+)"`, "g"), "$1") : text;
}

function isLong(token: string): boolean {
  return INTEGER.test(token) && !Number.isSafeInteger(Number(token));
}

/** What stands for an integer on its way; nobody can have put it into a text before. */
function makeMark(): string {
  return `integer-${Math.random().toString(36).slice(2)}:`;
}
