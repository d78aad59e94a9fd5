import { WholeDouble, writeExact } from "@/lib/exact-json";

/** What of a value is laid out as a table or schema at most: more is no help, and takes its time. */
const MOST_ROWS = 200;
const MOST_COLUMNS = 30;
const MOST_FIELDS = 400;
const DEEPEST = 12;
const CELL = 200;

export interface Table {
  columns: string[];
  rows: string[][];
  /** Rows that are not among them. */
  more: number;
}

/** A value as a table: objects of a list by row, the fields of one object otherwise; undefined for what has no parts. */
export function tableOf(value: unknown): Table | undefined {
  if (Array.isArray(value)) {
    const shown = value.slice(0, MOST_ROWS);
    const columns = columnsOf(shown);
    const rows = shown.map((item, index) => [String(index), ...(columns.length === 0 ? [show(item)] : columns.map((name) => show(pick(item, name))))]);
    return { columns: ["#", ...(columns.length === 0 ? ["value"] : columns)], rows, more: value.length - shown.length };
  }
  if (!isObject(value)) return undefined;
  const entries = Object.entries(value);
  const rows = entries.slice(0, MOST_ROWS).map(([name, part]) => [name, show(part)]);
  return { columns: ["field", "value"], rows, more: entries.length - rows.length };
}

export interface Field {
  path: string;
  depth: number;
  name: string;
  types: string;
}

/** What a value consists of: each field with its types, those of all items of a list together. */
export function schemaOf(value: unknown): Field[] {
  const fields: Field[] = [];
  const add = (name: string, path: string, values: readonly unknown[], depth: number) => {
    if (fields.length >= MOST_FIELDS || depth > DEEPEST) return;
    fields.push({ path, depth, name, types: [...new Set(values.map(typeOf))].join(" or ") });
    const objects = values.filter(isObject);
    const keys = [...new Set(objects.flatMap((object) => Object.keys(object)))];
    for (const key of keys) {
      const present = objects.filter((object) => key in object);
      const isOptional = present.length < objects.length;
      add(isOptional ? `${key}?` : key, `${path}.${key}`, present.map((object) => object[key]), depth + 1);
    }
    const items = values.filter(Array.isArray).flatMap((list: unknown[]) => list.slice(0, MOST_ROWS));
    if (items.length > 0) add("[ ]", `${path}[]`, items, depth + 1);
  };
  add("value", "value", [value], 0);
  return fields;
}

function columnsOf(items: readonly unknown[]): string[] {
  if (items.length === 0 || !items.every(isObject)) return [];
  return [...new Set(items.flatMap((item) => Object.keys(item as object)))].slice(0, MOST_COLUMNS);
}

function pick(item: unknown, name: string): unknown {
  return isObject(item) ? item[name] : undefined;
}

function show(value: unknown): string {
  if (value === undefined) return "";
  const text = typeof value === "string" ? value : writeExact(value);
  return text.length > CELL ? `${text.slice(0, CELL)}…` : text;
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return `list of ${value.length}`;
  if (typeof value === "bigint" || value instanceof WholeDouble) return "number";
  return isObject(value) ? "object" : typeof value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof WholeDouble);
}
