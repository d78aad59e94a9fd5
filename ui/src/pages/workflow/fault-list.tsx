import { Icon } from "@/components/ui/icon";
import type { Checked } from "./use-faults";

const MOST = 100;

interface FaultListProps {
  checked: Checked;
  onShow: (line: number) => void;
}

/** Every fault with its line; a press leads there. Below, what is no fault, and is lost all the same. */
export function FaultList({ checked: { faults, isChecking, trouble, hasComments }, onShow }: FaultListProps) {
  return (
    <section aria-label="Faults" className="rounded-control border border-line bg-surface p-3">
      <p role="status" className="flex items-center gap-2 font-semibold">
        {!isChecking && faults.length === 0 && trouble === undefined && <Icon name="check" />}
        {say(faults.length, isChecking, trouble)}
      </p>
      {faults.length > 0 && (
        <ol className="mt-2 divide-y divide-line">
          {faults.slice(0, MOST).map(({ line, pointer, message }, index) => (
            <li key={index}>
              <button
                type="button"
                onClick={() => onShow(line)}
                className="flex w-full flex-wrap gap-x-3 rounded-chip py-1.5 text-left hover:bg-canvas focus-visible:-outline-offset-2"
              >
                <span className="font-semibold whitespace-nowrap">Line {line}</span>
                <span className="min-w-48 flex-1 text-failed wrap-anywhere">{message}</span>
                <span className="font-mono text-xs text-ink-3 wrap-anywhere">{pointer}</span>
              </button>
            </li>
          ))}
        </ol>
      )}
      <p role="status" className="mt-1 text-ink-2 empty:absolute">
        {hasComments && "Comments are not kept: the draft is saved without them. What people are to read belongs into names and the description."}
      </p>
    </section>
  );
}

function say(count: number, isChecking: boolean, trouble: string | undefined): string {
  if (trouble !== undefined) return `It could not be checked. ${trouble}`;
  if (count > 0) return count === 1 ? "1 fault" : `${count} faults${count > MOST ? `, of which the first ${MOST} are shown` : ""}`;
  return isChecking ? "Checking…" : "No faults: it can be published.";
}
