import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import { useFoldingRowPixels } from "@/lib/density";
import { useShortcuts } from "@/lib/shortcuts";
import { useIsWide } from "@/lib/use-is-wide";

/** So many rows before the end, the next page is asked for. */
const AHEAD = 20;

interface RowTableProps<Row> {
  /** What the rows are, for who does not see them. */
  label: string;
  /** One of them, as the help of the keys says it. */
  noun: string;
  /** The titles of the columns; one that begins with a dot is read out alone. */
  titles: readonly string[];
  /** The grid of a row, where there is room for columns and where there is none. */
  look: { wide: string; narrow: string };
  rows: readonly Row[];
  /** The cells of a row; without room for columns they stand in three lines. */
  cells: (row: Row, isWide: boolean) => ReactNode;
  /** Asked for the next page, where there is one. */
  onMore?: (() => void) | undefined;
}

/** Rows of a long list, of which those that can be seen are in the page. Keys lead from the first link of a row to the next. */
export function RowTable<Row extends { id: string }>({ label, noun, titles, look, rows, cells, onMore }: RowTableProps<Row>) {
  const list = useRef<HTMLDivElement>(null);
  const [offset, setOffset] = useState(0);
  const isWide = useIsWide();
  const rowPixels = useFoldingRowPixels();
  useLayoutEffect(() => {
    setOffset((list.current?.getBoundingClientRect().top ?? 0) + window.scrollY);
  }, [isWide]);
  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => rowPixels,
    getItemKey: (index) => rows[index]?.id ?? index,
    overscan: 8,
    scrollMargin: offset,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, rowPixels]);
  const shown = virtualizer.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - AHEAD) onMore?.();
  }, [last, onMore, rows.length]);
  const focusRow = useRowFocus(list, rows.length, (index) => virtualizer.scrollToIndex(index));
  useShortcuts([
    { key: "j", label: `Next ${noun}`, run: () => focusRow(1) },
    { key: "k", label: `${noun.charAt(0).toUpperCase()}${noun.slice(1)} before`, run: () => focusRow(-1) },
  ]);
  return (
    <div role="table" aria-label={label} aria-rowcount={rows.length + 1} className="border border-line bg-surface md:rounded-control">
      <div role="rowgroup" className="hidden md:block">
        <div role="row" aria-rowindex={1} className={`${look.wide} px-3 py-2 text-xs text-ink-3`}>
          {titles.map((title) => (
            <span key={title} role="columnheader">
              {title.startsWith(".") ? <span className="sr-only">{title.slice(1)}</span> : title}
            </span>
          ))}
        </div>
      </div>
      <div ref={list} role="rowgroup" className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {shown.map(({ index, start, size, key }) => {
          const row = rows[index];
          return (
            row !== undefined && (
              <div
                key={key}
                role="row"
                aria-rowindex={index + 2}
                data-row={index}
                className={`absolute inset-x-0 border-t border-line px-3 hover:bg-canvas ${look.narrow} ${look.wide} md:items-center`}
                style={{ height: size, transform: `translateY(${start - offset}px)` }}
              >
                {cells(row, isWide)}
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}

/** Move the focus by rows; one that is not in the page yet is scrolled to first. */
function useRowFocus(list: { current: HTMLDivElement | null }, count: number, scrollTo: (index: number) => void) {
  return (step: number) => {
    const from = focusedRow() ?? (step > 0 ? -1 : count);
    const index = Math.max(0, Math.min(count - 1, from + step));
    const find = () => list.current?.querySelector<HTMLElement>(`[data-row="${index}"] a`);
    if (find() == null) scrollTo(index);
    requestAnimationFrame(() => {
      find()?.focus();
      find()?.scrollIntoView({ block: "nearest" });
    });
  };
}

/** The place of the row that has the focus. */
export function focusedRow(): number | undefined {
  const focused = document.activeElement?.closest<HTMLElement>("[data-row]");
  return focused == null ? undefined : Number(focused.dataset["row"]);
}
