import { writeExact } from "@/lib/exact-json";
import type { Run } from "./api";

/** A command that starts the same workflow in the same version with the same input; the token comes from the environment. */
export function curlOf(origin: string, run: Pick<Run, "workflow_id" | "version" | "is_test">, input: unknown): string {
  const body = run.is_test ? { input } : { input, version: run.version };
  return [
    `curl -sS -X POST ${quote(`${origin}/v1/workflows/${run.workflow_id}/runs`)}`,
    '  -H "Authorization: Bearer $FLOWFORGE_TOKEN"',
    "  -H 'Content-Type: application/json'",
    `  -d ${quote(writeExact(body))}`,
  ].join(" \\\n");
}

/** A text as one word of a shell, whatever is in it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
