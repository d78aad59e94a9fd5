import { useState } from "react";
import { Checkbox } from "@/components/ui/checkbox";
import { Lamp } from "@/components/ui/lamp";
import { classNames } from "@/lib/class-names";
import { formatDuration } from "@/lib/format";
import { STATUS_LOOKS } from "@/lib/status";
import type { ComparedStep } from "./compare";

/** More rows are no help: what differs can be shown alone. */
const MOST = 500;

interface StepTableProps {
  steps: readonly ComparedStep[];
  selected: string | undefined;
  onSelect: (path: string) => void;
}

/** Every step of both, in the order in which they began, with how each went and how much longer it took in B. */
export function StepTable({ steps, selected, onSelect }: StepTableProps) {
  const differing = steps.filter((step) => step.differences.length > 0);
  const [isAll, setIsAll] = useState(differing.length === 0 || steps.length <= 50);
  const shown = isAll ? steps : differing;
  return (
    <section aria-label="Steps" className="min-w-0">
      <div className="mb-2 flex flex-wrap items-center gap-3">
        <h2 className="text-lg font-semibold">Steps</h2>
        <Checkbox className="text-ink-2" isOn={!isAll} onChange={(isOn) => setIsAll(!isOn)}>
          Only the {differing.length} that differ
        </Checkbox>
      </div>
      <div tabIndex={0} role="group" aria-label="Steps of both runs" className="max-h-96 overflow-auto rounded-control border border-line bg-surface">
        <table className="w-full text-left">
          <thead className="sticky top-0 bg-surface text-xs text-ink-3">
            <tr>
              {["Step", "A", "B", "B took"].map((name) => (
                <th key={name} className="px-3 py-2 font-normal">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.slice(0, MOST).map((step) => (
              <tr key={step.path} className={classNames("border-t border-line", step.path === selected ? "bg-sunken" : "hover:bg-canvas")}>
                <td className="px-3 py-1">
                  <button type="button" aria-pressed={step.path === selected} onClick={() => onSelect(step.path)} className="min-h-6 text-left wrap-anywhere underline">
                    {step.title}
                  </button>
                  {step.differences.length > 0 && <span className="ml-2 text-xs font-semibold">differs</span>}
                </td>
                <Cell step={step.a} />
                <Cell step={step.b} />
                <td className="px-3 py-1 font-mono whitespace-nowrap">{tellDelta(step.delta)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length > MOST && <p className="px-3 py-1 text-ink-2">and {shown.length - MOST} more</p>}
      </div>
    </section>
  );
}

function Cell({ step }: { step: ComparedStep["a"] }) {
  if (step === undefined) return <td className="px-3 py-1 text-ink-3">not there</td>;
  const { tone, label } = STATUS_LOOKS[step.status];
  return (
    <td className="px-3 py-1">
      <span className="flex flex-wrap items-center gap-x-2">
        <Lamp tone={tone} />
        {label}
        {step.time !== null && step.started_at !== null && <span className="font-mono text-xs text-ink-3">{formatDuration(step.time.total_ms)}</span>}
      </span>
    </td>
  );
}

/** "+120 ms": how much longer, or shorter. */
function tellDelta(delta: number | undefined): string {
  if (delta === undefined) return "–";
  if (Math.round(delta) === 0) return "as long";
  return `${delta > 0 ? "+" : "−"}${formatDuration(Math.abs(delta))}`;
}
