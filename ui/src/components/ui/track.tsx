import { classNames } from "@/lib/class-names";
import type { Tone } from "@/lib/status";

/** How a track out of a step looks; a dash says as much as a colour. */
const LOOKS = {
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

/** A track from one step to the next, inside an SVG. That of a failed step ends in a buffer. */
export function Track({ from, to, tone = "queued" }: { from: Point; to: Point; tone?: Tone }) {
  return (
    <g className={classNames("fill-none", LOOKS[tone])}>
      <path d={trackPath(from, to)} />
      {tone === "failed" && <path d={`M${to.x} ${to.y - BUFFER}V${to.y + BUFFER}`} />}
    </g>
  );
}
