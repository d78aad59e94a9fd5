import { useMemo } from "react";
import { classNames } from "@/lib/class-names";
import { type DiffLine, diffLines, foldSame } from "./diff";

/** Lines that are the same are shown so far around a change. */
const AROUND = 3;
/** More rows are no help to anybody. */
const MOST_ROWS = 1_000;

interface DiffViewProps {
  left: string;
  right: string;
  leftName: string;
  rightName: string;
}

/** Two texts beside each other, with what differs marked in words as well as by colour. */
export function DiffView({ left, right, leftName, rightName }: DiffViewProps) {
  const rows = useMemo(() => foldSame(diffLines(left.split("\n"), right.split("\n")), AROUND), [left, right]);
  if (rows.every((row) => typeof row === "number")) return <p className="py-2 text-ink-2">Both are the same.</p>;
  return (
    <div tabIndex={0} role="group" aria-label={`${leftName} beside ${rightName}`} className="max-h-96 overflow-auto rounded-control border border-line bg-surface">
      <table className="w-full table-fixed font-mono text-xs">
        <thead className="sticky top-0 bg-surface text-left text-ink-3">
          <tr>
            <th className="px-2 py-1 font-normal">{leftName}</th>
            <th className="border-l border-line px-2 py-1 font-normal">{rightName}</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map((row, index) =>
            typeof row === "number" ? (
              <tr key={index}>
                <td colSpan={2} className="bg-sunken px-2 py-0.5 text-ink-3">
                  {row === 1 ? "1 line is the same" : `${row} lines are the same`}
                </td>
              </tr>
            ) : (
              <tr key={index} className="align-top">
                <Side line={row.left} word={row.kind === "changed" ? "−" : undefined} />
                <Side line={row.right} word={row.kind === "changed" ? "+" : undefined} isRight />
              </tr>
            ),
          )}
        </tbody>
      </table>
      {rows.length > MOST_ROWS && <p className="px-2 py-1 text-xs text-ink-2">and {rows.length - MOST_ROWS} more rows</p>}
    </div>
  );
}

function Side({ line, word, isRight = false }: { line: DiffLine | undefined; word: string | undefined; isRight?: boolean }) {
  const look = word === undefined || line === undefined ? "" : "bg-sunken font-semibold text-ink";
  return (
    <td className={classNames("px-2 py-0.5 whitespace-pre-wrap wrap-anywhere text-ink-2", isRight && "border-l border-line", look)}>
      {line !== undefined && (
        <>
          <span aria-hidden={word === undefined} className="mr-2 text-ink-3 select-none">
            {word ?? " "}
          </span>
          {line.text}
        </>
      )}
    </td>
  );
}
