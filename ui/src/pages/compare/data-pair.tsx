import { useMemo } from "react";
import { DiffView } from "@/features/diff/diff-view";
import { WholeDouble, writeExact } from "@/lib/exact-json";
import { isSame } from "./compare";

/** A value of A beside that of B; where both are the same, that is said. */
export function DataPair({ title, a, b }: { title: string; a: unknown; b: unknown }) {
  const [left, right] = useMemo(() => [write(a), write(b)], [a, b]);
  return (
    <div role="group" aria-label={title} className="min-w-0">
      <h3 className="mb-1 font-semibold">{title}</h3>
      {isSame(a, b) ? <p className="text-ink-2">The same in both.</p> : <DiffView left={left} right={right} leftName={`${title} of A`} rightName={`${title} of B`} />}
    </div>
  );
}

/** As JSON with sorted keys, so that their order makes no difference; the beginning of a large value line by line. */
function write(value: unknown): string {
  return writeExact(sort(value), 2);
}

function sort(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sort);
  if (typeof value !== "object" || value === null || value instanceof WholeDouble) return value;
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(fields.map(([name, part]: [string, unknown]) => [name, sort(part)]));
}
