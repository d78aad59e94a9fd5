import { Button } from "@/components/ui/button";
import type { Run } from "@/features/runs/run";
import { formatDuration } from "@/lib/format";
import { type ComparedStep, isSame, lengthOf } from "./compare";
import type { Loops } from "./use-loops";
import { tellDifference } from "./words";

interface VerdictProps {
  a: Run;
  b: Run;
  first: ComparedStep | undefined;
  loops: Pick<Loops, "isPending" | "isFailed" | "unread" | "next" | "askMore">;
  onSelect: (path: string) => void;
}

/** Where the two part, in a sentence. */
export function Verdict({ a, b, first, loops, onSelect }: VerdictProps) {
  const isOtherInput = !isSame(a.input, b.input);
  return (
    <div className="flex flex-wrap items-center gap-3 rounded-control border border-line-strong bg-surface p-3">
      <p role="status" className="min-w-48 flex-1">
        {a.workflow_id !== b.workflow_id && "These are runs of different workflows. "}
        {isOtherInput && "They began with different input. "}
        {first === undefined ? (
          tellSame(loops)
        ) : (
          <>
            The first step that differs is <strong className="font-semibold">{first.title}</strong>: {tellDifference(first)}.
          </>
        )}
        {tellLength(lengthOf(a), lengthOf(b))}
      </p>
      {first !== undefined && <Button onClick={() => onSelect(first.path)}>Show it</Button>}
      {first === undefined && !loops.isPending && loops.next > 0 && (
        <Button onClick={loops.askMore}>Compare the items of {sayLoops(loops.next)}</Button>
      )}
    </div>
  );
}

/** That no step differs, as far as that is known. */
function tellSame({ isPending, isFailed, unread }: VerdictProps["loops"]): string {
  if (isPending) return "No step differs; the items of loops are being compared.";
  if (isFailed) return "No step differs, but the items of a loop cannot be read: choose the loop to see why.";
  if (unread > 0) return `No step differs, as far as was looked: the items of ${sayLoops(unread)} were not compared.`;
  return "Every step went the same way, with the same data.";
}

function sayLoops(number: number): string {
  return number === 1 ? "1 loop" : `${number} loops`;
}

/** " From start to end, B took 1.2 s longer.": nothing while one of them goes on. */
function tellLength(a: number | undefined, b: number | undefined): string {
  if (a === undefined || b === undefined) return "";
  if (a === b) return " From start to end, both took as long.";
  return ` From start to end, B took ${formatDuration(Math.abs(b - a))} ${b > a ? "longer" : "less"}.`;
}
