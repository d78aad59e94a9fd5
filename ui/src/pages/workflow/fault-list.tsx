import { Icon } from "@/components/ui/icon";
import type { LineFault } from "./use-faults";

const MOST = 100;

interface FaultListProps {
  faults: readonly LineFault[];
  isChecking: boolean;
  trouble: string | undefined;
  onShow: (line: number) => void;
}

/** Every fault with its line; a press leads there. */
export function FaultList({ faults, isChecking, trouble, onShow }: FaultListProps) {
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
    </section>
  );
}

function say(count: number, isChecking: boolean, trouble: string | undefined): string {
  if (trouble !== undefined) return `It could not be checked. ${trouble}`;
  if (count > 0) return count === 1 ? "1 fault" : `${count} faults${count > MOST ? `, of which the first ${MOST} are shown` : ""}`;
  return isChecking ? "Checking…" : "No faults: it can be published.";
}
