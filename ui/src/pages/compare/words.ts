import type { ComparedStep } from "./compare";

const WORDS = {
  missing: "only one of them has it",
  status: "its status",
  error: "its error",
  output: "what came out",
  input: "what went in",
  items: "its items",
} as const;

/** In what a step differs, in words. */
export function tellDifference({ differences }: Pick<ComparedStep, "differences">): string {
  return differences.map((difference) => WORDS[difference]).join(", ");
}
