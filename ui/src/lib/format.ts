import type { Zone } from "./preferences";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MEBIBYTE = 1_048_576;

const count = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact" });
const rate = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const share = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

const CLOCK = { hour: "2-digit", minute: "2-digit" } as const;
const SECONDS = { ...CLOCK, second: "2-digit" } as const;
const DATE = { day: "numeric", month: "short" } as const;

/** The ways to tell a time by the clocks of a zone; UTC is marked as such. */
function timesOf(zone: Zone) {
  const mark = zone === "utc" ? ({ timeZone: "UTC", timeZoneName: "short" } as const) : {};
  const by = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat("en-GB", options);
  return {
    minute: by({ ...CLOCK, ...mark }),
    dayAndMinute: by({ ...DATE, ...CLOCK, ...mark }),
    second: by({ ...SECONDS, ...mark }),
    dayAndSecond: by({ ...DATE, ...SECONDS, ...mark }),
    full: by({ dateStyle: "full", timeStyle: "long", ...(zone === "utc" && { timeZone: "UTC" }) }),
  };
}

const TIMES = { local: timesOf("local"), utc: timesOf("utc") } as const satisfies Record<Zone, unknown>;

/** "3 min ago": how long before `now` something was. */
export function formatRelative(at: string, now: number): string {
  const seconds = Math.round((Date.parse(at) - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 5) return "just now";
  if (size < MINUTE) return relative.format(seconds, "second");
  if (size < HOUR) return relative.format(Math.round(seconds / MINUTE), "minute");
  if (size < DAY) return relative.format(Math.round(seconds / HOUR), "hour");
  return relative.format(Math.round(seconds / DAY), "day");
}

/** The time of day, and the day where it is not today's. */
export function formatMoment(at: string, now: number, zone: Zone): string {
  const date = new Date(at);
  const isToday = dayOf(date, zone) === dayOf(new Date(now), zone);
  return TIMES[zone][isToday ? "second" : "dayAndSecond"].format(date);
}

function dayOf(date: Date, zone: Zone): string {
  return zone === "utc" ? date.toISOString().slice(0, 10) : date.toDateString();
}

/** The time of day to the minute, for what is drawn over time, and the day where more than one is drawn. */
export function formatMinute(at: number, isLong: boolean, zone: Zone): string {
  return TIMES[zone][isLong ? "dayAndMinute" : "minute"].format(at);
}

/** The whole date and time, for a tooltip. */
export function formatFull(at: string, zone: Zone): string {
  return TIMES[zone].full.format(new Date(at));
}

/** The name of the zone whose clocks tell the times. */
export function nameZone(zone: Zone): string {
  return TIMES[zone].full.resolvedOptions().timeZone;
}

/** "418 ms", "3.2 s", "4 min 10 s", "2 h 5 min", "3 d 4 h". */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < MINUTE - 0.05) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < HOUR) return join(Math.floor(whole / MINUTE), "min", whole % MINUTE, "s");
  if (whole < DAY) return join(Math.floor(whole / HOUR), "h", Math.floor((whole % HOUR) / MINUTE), "min");
  return join(Math.floor(whole / DAY), "d", Math.floor((whole % DAY) / HOUR), "h");
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** "1,284": how many there are. */
export function formatCount(number: number): string {
  return count.format(number);
}

/** "1 run", "1,284 runs": how many there are of what `noun` names. */
export function formatCountOf(number: number, noun: string): string {
  return `${formatCount(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** "1.3K": about how many, beside a drawing. */
export function formatAbout(number: number): string {
  return compact.format(number);
}

/** "41.7": how many there are in a while, on the average. */
export function formatRate(number: number): string {
  return rate.format(number);
}

/** "99.2%", of a share between 0 and 1. */
export function formatShare(part: number): string {
  return share.format(part);
}

/** A size in the unit that people read. */
export function formatBytes(bytes: number): string {
  return bytes < MEBIBYTE ? `${formatCount(Math.round(bytes / 1024))} KiB` : `${formatCount(Math.round(bytes / MEBIBYTE))} MiB`;
}

/** How long something took, or takes until `now`; undefined where it has not begun. */
export function durationOf(from: string | null, to: string | null, now: number): number | undefined {
  return from === null ? undefined : (to === null ? now : Date.parse(to)) - Date.parse(from);
}
