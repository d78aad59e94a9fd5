import { ApiProblem } from "./problem";

/**
 * What the API found wrong with a form, by the pointers of its fields; several sentences about one are joined.
 *
 * `rest` is what stands at no field of the form, and must be told above it; undefined where there is nothing.
 */
export function sortFaults(error: unknown, fields: readonly string[]): { at: ReadonlyMap<string, string>; rest: string | undefined } {
  const at = new Map<string, string>();
  if (!(error instanceof ApiProblem) || error.errors.length === 0) {
    return { at, rest: error === null || error === undefined ? undefined : sentenceOf(error) };
  }
  const rest: string[] = [];
  for (const { pointer, message } of error.errors) {
    const field = fields.find((one) => pointer === one || pointer.startsWith(`${one}/`));
    if (field === undefined) rest.push(`${pointer}: ${message}`);
    else at.set(field, [at.get(field), capitalise(message)].filter(Boolean).join(" · "));
  }
  return { at, rest: rest.length === 0 ? undefined : rest.join("; ") };
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
