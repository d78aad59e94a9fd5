import { useMemo } from "react";
import { DiffView } from "@/features/diff/diff-view";
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
  return JSON.stringify(value, (_, part: unknown) => (isPlain(part) ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1))) : part), 2);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
