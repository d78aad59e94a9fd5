import { classNames } from "@/lib/class-names";
import type { Tone } from "@/lib/status";

/** How a track out of a step looks, by how that one stands; a dash says as much as a colour. */
export const TRACK_LOOKS = {
  succeeded: "stroke-succeeded stroke-3",
  running: "stroke-running stroke-3 [stroke-dasharray:8_6]",
  failed: "stroke-failed stroke-3",
  retrying: "stroke-retrying stroke-3 [stroke-dasharray:8_6]",
  waiting: "stroke-waiting stroke-3 [stroke-dasharray:2_6]",
  queued: "stroke-line-strong stroke-2",
  cancelled: "stroke-line-strong stroke-2",
  skipped: "stroke-line-strong stroke-2 [stroke-dasharray:2_6]",
} satisfies Record<Tone, string>;

const RADIUS = 8;
const BUFFER = 7;
/** Before the place where tracks turn. */
const STUB = 14;

interface Point {
  x: number;
  y: number;
}

/** The path of a track: straight, with rounded corners where it turns, which is halfway unless another place is named. */
export function trackPath(from: Point, to: Point, turn = (from.x + to.x) / 2): string {
  const height = to.y - from.y;
  const radius = Math.min(RADIUS, Math.abs(height) / 2, Math.abs(turn - from.x), Math.abs(to.x - turn));
  if (radius === 0) return `M${from.x} ${from.y}L${to.x} ${to.y}`;
  const down = Math.sign(height) * radius;
  const along = Math.sign(to.x - from.x) * radius;
  return [
    `M${from.x} ${from.y}`,
    `H${turn - along}`,
    `Q${turn} ${from.y} ${turn} ${from.y + down}`,
    `V${to.y - down}`,
    `Q${turn} ${to.y} ${turn + along} ${to.y}`,
    `H${to.x}`,
  ].join("");
}

/** The end of the line: a bar across a track, right behind a step where nothing goes on. */
export function bufferPath({ x, y }: Point): string {
  return `M${x} ${y}H${x + STUB}M${x + STUB} ${y - BUFFER}V${y + BUFFER}`;
}

/** A track from one step to the next, inside an SVG. That of a failed step ends in a buffer. */
export function Track({ from, to, tone = "queued" }: { from: Point; to: Point; tone?: Tone }) {
  return <path d={tone === "failed" ? bufferPath(from) : trackPath(from, to)} className={classNames("fill-none", TRACK_LOOKS[tone])} />;
}
