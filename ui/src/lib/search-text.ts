/** A text in an address; undefined where there is none. The router reads `?q=502` as a number. */
export function readSearchText(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}
