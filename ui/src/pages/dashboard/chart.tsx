import { type KeyboardEvent, type MouseEvent, type ReactNode, useId, useState } from "react";
import { classNames } from "@/lib/class-names";
import { formatMinute } from "@/lib/format";
import { useZone } from "@/lib/preferences";
import { type Slot, SLOTS, isEmpty } from "./slots";

interface Column {
  name: string;
  read: (slot: Slot) => string;
}

interface ChartProps {
  title: string;
  slots: readonly Slot[];
  /** What is drawn, in a box of the size `SLOTS` x 1. */
  children: ReactNode;
  /** What the upper end of the axis stands for, and the lower one where that is not 0. */
  top: string;
  bottom?: string;
  legend: ReactNode;
  columns: readonly Column[];
  /** A press on a part of the time, or Enter, leads on from it. */
  onChoose?: (slot: Slot) => void;
}

/** From here on, a time of day alone does not tell which day's it is. */
const LONG_MS = 80_000_000;

/** A drawing over time that is read by pointing, by arrow keys, or as a table. */
export function Chart({ title, slots, children, top, bottom, legend, columns, onChoose }: ChartProps) {
  const id = useId();
  const zone = useZone();
  const [place, setPlace] = useState<number>();
  const slot = place === undefined ? undefined : slots[place];
  const isLong = (slots.at(-1)?.to ?? 0) - (slots[0]?.from ?? 0) > LONG_MS;
  const say = (at: number) => formatMinute(at, isLong, zone);
  const describe = ({ from, to, ...rest }: Slot) =>
    `${say(from)} to ${say(to)}: ${columns.map(({ name, read }) => `${read({ from, to, ...rest })} ${name}`).join(", ")}`;
  const point = (event: MouseEvent<HTMLDivElement>) => setPlace(placeOf(event));
  const press = (event: MouseEvent<HTMLDivElement>) => {
    // Who presses without a pointer (0) means what is read out.
    const pressed = event.detail === 0 ? slot : slots[placeOf(event)];
    if (pressed !== undefined) onChoose?.(pressed);
  };
  return (
    <section aria-labelledby={id} className="min-w-0 rounded-control border border-line bg-surface p-3">
      <div className="flex flex-wrap items-baseline justify-between gap-x-3">
        <h2 id={id} className="font-semibold">
          {title}
        </h2>
        <div className="flex flex-wrap gap-x-3 text-xs text-ink-2">{legend}</div>
      </div>
      <p aria-hidden="true" className="h-4 truncate text-xs text-ink-3">
        {slot !== undefined && describe(slot)}
      </p>
      <div className="relative mt-1 h-36">
        <div
          role="slider"
          tabIndex={0}
          aria-label={`${title} over time`}
          aria-valuemin={1}
          aria-valuemax={SLOTS}
          aria-valuenow={(place ?? SLOTS - 1) + 1}
          aria-valuetext={slot === undefined ? `Arrow keys read the parts of the time${onChoose === undefined ? "" : ", Enter leads to the runs of one"}` : describe(slot)}
          onPointerMove={point}
          onPointerDown={point}
          onClick={press}
          // What a finger has pointed at is read once it does not cover it any more.
          onPointerLeave={({ pointerType }) => pointerType !== "touch" && setPlace(undefined)}
          // The finger scrolls the page: it has pointed at nothing.
          onPointerCancel={() => setPlace(undefined)}
          onBlur={() => setPlace(undefined)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && slot !== undefined) onChoose?.(slot);
            else move(event, place, setPlace);
          }}
          className={classNames("absolute inset-0 touch-pan-y", onChoose !== undefined && "cursor-pointer")}
        >
          <svg aria-hidden="true" viewBox={`0 0 ${SLOTS} 1`} preserveAspectRatio="none" className="size-full overflow-visible">
            {place !== undefined && <rect x={place} y="0" width="1" height="1" className="fill-sunken" />}
            {children}
          </svg>
        </div>
        <span className="pointer-events-none absolute top-0 left-0 bg-surface/80 pr-1 font-mono text-xs text-ink-3">{top}</span>
        {bottom !== undefined && (
          <span className="pointer-events-none absolute bottom-0 left-0 bg-surface/80 pr-1 font-mono text-xs text-ink-3">{bottom}</span>
        )}
      </div>
      <div aria-hidden="true" className="mt-1 flex justify-between border-t border-line pt-1 text-xs text-ink-3">
        <span>{slots[0] !== undefined && say(slots[0].from)}</span>
        <span>now</span>
      </div>
      <SlotTable slots={slots} columns={columns} title={title} say={say} />
    </section>
  );
}

function move(event: KeyboardEvent, place: number | undefined, go: (place: number | undefined) => void): void {
  const from = place ?? SLOTS;
  const goals: Record<string, number> = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: SLOTS - 1 };
  const goal = goals[event.key];
  if (goal === undefined) return;
  event.preventDefault();
  go(clamp(goal));
}

/** The part of the drawing under the pointer. */
function placeOf({ currentTarget, clientX }: MouseEvent): number {
  const { left, width } = currentTarget.getBoundingClientRect();
  return clamp(Math.floor(((clientX - left) / width) * SLOTS));
}

function clamp(place: number): number {
  return Math.max(0, Math.min(SLOTS - 1, place));
}

interface SlotTableProps extends Pick<ChartProps, "slots" | "columns" | "title"> {
  say: (at: number) => string;
}

/** The same in words and numbers. It is made once somebody opens it. */
function SlotTable({ slots, columns, title, say }: SlotTableProps) {
  const [isOpen, setIsOpen] = useState(false);
  const rows = slots.filter((slot) => !isEmpty(slot)).toReversed();
  return (
    <details onToggle={(event) => setIsOpen(event.currentTarget.open)} className="mt-2">
      <summary className="w-fit text-xs text-ink-2">As a table</summary>
      {isOpen && (
        <div role="region" aria-label={`${title} as a table`} tabIndex={0} className="mt-1 max-h-64 overflow-auto">
          <table className="w-full text-left text-xs">
            <thead className="text-ink-3">
              <tr>
                {["from", ...columns.map(({ name }) => name)].map((name) => (
                  <th key={name} scope="col" className="py-1 pr-2 font-normal">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((slot) => (
                <tr key={slot.from} className="border-t border-line">
                  <th scope="row" className="py-1 pr-2 font-normal whitespace-nowrap">
                    {say(slot.from)}
                  </th>
                  {columns.map(({ name, read }) => (
                    <td key={name} className="py-1 pr-2 font-mono">
                      {read(slot)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
