import type { ReactNode } from "react";
import { classNames } from "@/lib/class-names";

/** From which width on a column is there; below it, the first column says the same in small. */
const FROM = { sm: "hidden sm:table-cell", md: "hidden md:table-cell", lg: "hidden lg:table-cell" } as const;

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ReactNode;
  from?: keyof typeof FROM;
  /** The width, where the others must not press it together. */
  width?: string;
  look?: string;
  /** Buttons and menus: its title is read out alone, and its cell stands at the right edge. */
  isForActions?: boolean;
}

interface TableProps<Row> {
  /** What the rows are, for who does not see them. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** Columns keep their widths, whatever stands in them. */
  isFixed?: boolean;
}

/** Rows of things with a line between them: what every list of this app that is no stream looks like. */
export function Table<Row>({ label, columns, rows, keyOf, isFixed = false }: TableProps<Row>) {
  return (
    <div className="rounded-control border border-line bg-surface">
      <table aria-label={label} className={classNames("w-full text-left", isFixed && "table-fixed")}>
        <thead className="text-xs text-ink-3">
          <tr>
            {columns.map(({ title, from, width, isForActions }) => (
              <th key={title} scope="col" className={classNames(isForActions === true ? "px-2" : "px-3", "py-2 font-normal lg:whitespace-nowrap", width, from && FROM[from])}>
                {isForActions === true ? <span className="sr-only">{title}</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} className="h-(--row) border-t border-line hover:bg-canvas">
              {columns.map(({ title, cell, from, look, isForActions }) => (
                <td key={title} className={classNames(isForActions === true ? "px-2 text-right" : "px-3 py-row", look, from && FROM[from])}>
                  {/* Buttons are as high as the lowest row, without the line above it: they make none higher. */}
                  {isForActions === true ? <div className="-my-1">{cell(row)}</div> : cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
