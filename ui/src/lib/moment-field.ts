import type { Zone } from "./preferences";

/** A moment in an address; undefined where there is none. */
export function readMoment(value: unknown): string | undefined {
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}

/** A moment as a field for date and time takes it: as the clocks of the zone tell it, to the minute. */
export function toField(moment: string | undefined, zone: Zone): string {
  if (moment === undefined) return "";
  const at = new Date(moment);
  // Of a date whose UTC is what clocks tell here, the same parts are taken as of any other.
  if (zone === "local") at.setTime(at.getTime() - at.getTimezoneOffset() * 60_000);
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${String(at.getUTCFullYear()).padStart(4, "0")}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  return `${day}T${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}

/** What stands in such a field; undefined while it is not whole: while 2026 is typed, a browser gives the years 2, 20 and 202. */
export function fromField(text: string, zone: Zone): string | undefined {
  // A date with a time and without an offset is read as clocks tell it here.
  return /^(?:[2-9]\d{3}|[1-9]\d{4,5})-\d{2}-\d{2}T\d{2}:\d{2}/.test(text) ? readMoment(zone === "utc" ? `${text}Z` : text) : undefined;
}

/** When something was made whose id begins with the time (UUIDv7), in milliseconds since 1970. */
export function madeAt(id: string): number {
  return Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16);
}
