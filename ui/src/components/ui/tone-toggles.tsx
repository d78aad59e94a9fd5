import { classNames } from "@/lib/class-names";
import type { Look } from "@/lib/status";
import { Lamp } from "./lamp";

interface ToneTogglesProps<Name extends string> {
  label: string;
  /** In this order. */
  names: readonly Name[];
  looks: Readonly<Record<Name, Look>>;
  chosen: readonly Name[];
  onChange: (chosen: Name[]) => void;
  /** How many each would let through; undefined while that is not known. Left out: nobody counts. */
  counts?: { say: (name: Name) => string; explanation: string | undefined } | undefined;
}

/** It has the room of "50,000+" before it is known, and is no bolder where it is chosen, so that nothing moves when it comes or grows. */
const COUNT = "min-w-[7ch] text-right text-xs font-normal text-ink-3 tabular-nums";

/** A hidden twin below them holds the room that bold words take: whatever is chosen, no neighbour moves. */
const WORDS = "grid text-left after:invisible after:h-0 after:overflow-hidden after:font-semibold after:content-[attr(data-words)]";

/** A button for each state by which a list is filtered, of which any number is pressed. */
export function ToneToggles<Name extends string>({ label, names, looks, chosen, onChange, ...rest }: ToneTogglesProps<Name>) {
  return (
    <div role="group" aria-label={label} className="flex flex-wrap gap-1">
      {names.map((name) => {
        const isChosen = chosen.includes(name);
        return (
          <button
            key={name}
            type="button"
            aria-pressed={isChosen}
            title={rest.counts?.explanation}
            onClick={() => onChange(names.filter((one) => chosen.includes(one) !== (one === name)))}
            className={classNames(
              "inline-flex h-8 items-center gap-1.5 rounded-control border px-2",
              isChosen ? "border-ink bg-surface font-semibold" : "border-line bg-surface text-ink-2 hover:bg-sunken",
            )}
          >
            <Lamp tone={looks[name].tone} size={12} />
            <span data-words={looks[name].label} className={WORDS}>
              {looks[name].label}
            </span>
            {"counts" in rest && <span className={COUNT}>{rest.counts?.say(name)}</span>}
          </button>
        );
      })}
    </div>
  );
}
