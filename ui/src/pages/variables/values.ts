import { WholeDouble, writeExact } from "@/lib/exact-json";

/** A value as it is typed: text as it is, or anything else as JSON. */
export type Kind = "text" | "json";

export function kindOf(value: unknown): Kind {
  return typeof value === "string" ? "text" : "json";
}

/** What stands in the field where a value is changed. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : writeExact(value, 2);
}

/** What was typed, as JSON, in which every digit stays; or the sentence that says what is wrong with it. */
export function readValue(kind: Kind, text: string): { json: string } | { fault: string } {
  if (kind === "text") return { json: JSON.stringify(text) };
  if (text.trim() === "") return { fault: "Write some JSON, or choose text." };
  try {
    JSON.parse(text);
    return { json: text };
  } catch (error) {
    return { fault: `This is no JSON. ${error instanceof Error ? error.message : ""}`.trim() };
  }
}

const PREVIEW = 200;

/** How a value begins, on one line, and what it is. */
export function previewOf(value: unknown): string {
  const text = typeof value === "string" ? value : writeExact(value);
  const line = text.slice(0, PREVIEW + 1).replace(/\s+/g, " ");
  return line.length > PREVIEW ? `${line.slice(0, PREVIEW)}…` : line;
}

const KINDS = { string: "text", number: "number", bigint: "number", boolean: "true or false" } as const;

/** What a value is, in a word or two. */
export function nounOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 1 ? "list of 1" : `list of ${value.length}`;
  if (value instanceof WholeDouble) return KINDS.number;
  return typeof value === "object" ? "object" : (KINDS[typeof value as keyof typeof KINDS] ?? "unknown");
}

/** The variables whose name or value holds the text, whatever its case. */
export function search<One extends { name: string; value: unknown }>(all: readonly One[], q: string): readonly One[] {
  const wanted = q.trim().toLowerCase();
  if (wanted === "") return all;
  return all.filter(({ name, value }) => name.toLowerCase().includes(wanted) || textOf(value).toLowerCase().includes(wanted));
}
