import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/checkbox";
import { Search } from "@/components/ui/field";
import { useNow } from "@/lib/clock";
import { useRowPixels } from "@/lib/density";
import { leadTo } from "@/lib/lost-focus";
import { useShortcuts } from "@/lib/shortcuts";
import type { Run, Step } from "./api";
import { INSPECTED } from "./search";
import { type StepFilter, filterSteps, isTroubled, lengthOf, middleOf } from "./waterfall";
import { Row, Scale } from "./waterfall-row";

const ZOOMS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** Fewer steps are seen at a glance. */
const FEW = 10;

interface WaterfallProps {
  run: Run;
  selected: string | undefined;
  /** Arrow keys have led to it. */
  onSelect: (path: string) => void;
  onPress: (path: string) => void;
}

/** Steps and their attempts over the time of the run; those rows are in the page that can be seen. */
export function Waterfall({ run, selected, onSelect, onPress }: WaterfallProps) {
  const now = useNow();
  const [zoom, setZoom] = useState(0);
  const [filter, setFilter] = useState<StepFilter>({ text: "", isTroubled: false });
  const steps = useMemo(() => filterSteps(run.steps, filter), [run.steps, filter]);
  const scroller = useRef<HTMLDivElement>(null);
  const length = lengthOf(run, now);
  const rowPixels = useRowPixels();
  const virtualizer = useVirtualizer({
    count: steps.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPixels,
    getItemKey: (index) => steps[index]?.path ?? index,
    overscan: 6,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, rowPixels]);
  const chosen = steps.findIndex((step) => step.path === selected);
  useEffect(() => {
    if (chosen >= 0) virtualizer.scrollToIndex(chosen);
  }, [chosen, virtualizer]);
  const move = (event: KeyboardEvent<HTMLElement>) => {
    // The first press chooses it, the next one leads to what is told of it.
    if (event.key === "Enter" && selected !== undefined && (event.target as HTMLElement).dataset["path"] === selected) {
      event.preventDefault();
      leadTo(INSPECTED);
    }
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const next = steps[chosen + by];
    if (by === 0 || next === undefined) return;
    event.preventDefault();
    onSelect(next.path);
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-path="${next.path}"]`)?.focus());
  };
  const factor = ZOOMS[zoom] ?? 1;
  const target = steps[chosen];
  useAnchor(scroller, factor, target && middleOf(target, run.created_at, length));
  return (
    <section aria-label="Waterfall" className="min-w-0 lg:sticky lg:top-16">
      <div className="mb-1 flex flex-wrap items-center gap-2">
        <h2 className="grow text-lg font-semibold">Steps</h2>
        {run.steps.length > FEW && <Filter steps={run.steps} filter={filter} onFilter={setFilter} />}
        <span className="flex gap-1">
          <Button aria-label="Shorter time" title="Shorter time" disabled={zoom === ZOOMS.length - 1} onClick={() => setZoom(zoom + 1)}>+</Button>
          <Button aria-label="Longer time" title="Longer time" disabled={zoom === 0} onClick={() => setZoom(zoom - 1)}>−</Button>
        </span>
      </div>
      <div
        ref={scroller}
        onKeyDown={move}
        className="max-h-[60vh] overflow-auto rounded-control border border-line bg-surface"
      >
        <div style={{ width: `${factor * 100}%` }}>
          <Scale length={length} factor={factor} />
          <ol aria-label="Steps" className="relative" style={{ height: virtualizer.getTotalSize() }}>
            {virtualizer.getVirtualItems().map(({ index, key, start }) => {
              const step = steps[index];
              return (
                step !== undefined && (
                  <li key={key} className="absolute inset-x-0 top-0" style={{ height: rowPixels, transform: `translateY(${start}px)` }}>
                    <Row step={step} createdAt={run.created_at} length={length} isSelected={index === chosen} onPress={onPress} />
                  </li>
                )
              );
            })}
          </ol>
          {steps.length === 0 && <p className="px-3 py-2 text-ink-2">No step matches.</p>}
        </div>
      </div>
    </section>
  );
}

interface FilterProps {
  steps: readonly Step[];
  filter: StepFilter;
  onFilter: (filter: StepFilter) => void;
}

/** Find a step among many, or those with which something went wrong. */
function Filter({ steps, filter, onFilter }: FilterProps) {
  const field = useRef<HTMLInputElement>(null);
  const troubled = useMemo(() => steps.filter(isTroubled).length, [steps]);
  useShortcuts([{ key: "/", label: "Find a step", run: () => field.current?.focus() }]);
  return (
    <>
      <Search field={field} label="Find a step" className="w-36" text={filter.text} onText={(text) => onFilter({ ...filter, text })} />
      {(troubled > 0 || filter.isTroubled) && (
        <Checkbox className="text-ink-2" isOn={filter.isTroubled} onChange={(isTroubled) => onFilter({ ...filter, isTroubled })}>
          Only the {troubled} with failures
        </Checkbox>
      )}
    </>
  );
}

/** Keep what one looks at where it is when the time is drawn longer or shorter: the chosen step, or else the middle. */
function useAnchor(scroller: RefObject<HTMLDivElement | null>, factor: number, chosen: number | undefined): void {
  const before = useRef({ factor, chosen });
  useLayoutEffect(() => {
    const box = scroller.current;
    const old = before.current;
    before.current = { factor, chosen };
    if (box === null || old.factor === factor) return;
    const names = box.querySelector<HTMLElement>("[data-names]")?.offsetWidth ?? 0;
    const seen = box.clientWidth - names;
    const middle = chosen ?? (box.scrollLeft + seen / 2) / (box.clientWidth * old.factor - names);
    box.scrollLeft = middle * (box.clientWidth * factor - names) - seen / 2;
  }, [scroller, factor, chosen]);
}
