const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

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
export function formatMoment(at: string, now: number): string {
  const date = new Date(at);
  return date.toDateString() === new Date(now).toDateString() ? clock.format(date) : dayAndClock.format(date);
}

/** The time zone in which times are told: that of this machine. */
export const LOCAL_ZONE = full.resolvedOptions().timeZone;

/** The whole date and time, for a tooltip. */
export function formatFull(at: string): string {
  return full.format(new Date(at));
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

/** How long something took, or takes until `now`; undefined where it has not begun. */
export function durationOf(from: string | null, to: string | null, now: number): number | undefined {
  return from === null ? undefined : (to === null ? now : Date.parse(to)) - Date.parse(from);
}
