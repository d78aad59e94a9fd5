import type { Schemas } from "@/lib/api";
import { formatCountOf } from "@/lib/format";

type Imported = Pick<Schemas["ImportedWorkflow"], "name" | "problems" | "triggers">;

/** It stands in the place of the faults that had no room in the answer, and is none itself. */
const REST = "more_problems";

/** What became of a file of workflows, in a sentence. */
export function tellImported(items: readonly Imported[]): string {
  const problems = items.flatMap((item) => item.problems);
  const faults = problems.filter(({ code }) => code !== REST).length;
  const names = items.map(({ name }) => name).join(", ");
  if (problems.length === 0) return `Imported ${names}.`;
  return `Imported ${names}, with ${faults < problems.length ? "more than " : ""}${formatCountOf(faults, "fault")} to mend before publishing.`;
}

/** Which triggers refuse whatever comes for now, and what to do; undefined where none does. */
export function tellMissingSecrets(items: readonly Imported[]): string | undefined {
  const lacking = items
    .map(({ name, triggers }) => ({ name, count: triggers.filter(({ needs_secret: isMissing }) => isMissing).length }))
    .filter(({ count }) => count > 0);
  if (lacking.length === 0) return undefined;
  const total = lacking.reduce((sum, { count }) => sum + count, 0);
  const names = lacking.map(({ name }) => name).join(", ");
  return total === 1
    ? `A trigger of ${names} needs a secret, which no file holds: it refuses everything until you edit it and give it one.`
    : `${total} triggers of ${names} need a secret, which no file holds: they refuse everything until you edit each and give it one.`;
}
