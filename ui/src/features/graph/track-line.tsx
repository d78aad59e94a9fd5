import type { Edge, EdgeProps } from "@xyflow/react";
import { TRACK_LOOKS, bufferPath, trackPath } from "@/components/ui/track";
import { STATUS_LOOKS } from "@/lib/status";
import { type Mark, isTaken, useMark } from "./marks";
import { LABEL_MARGIN, type PortLabel } from "./ports";

export type TrackEdge = Edge<
  {
    port: string | undefined;
    turn: number | undefined;
    label: PortLabel | undefined;
    /** Whether another track out of the same step goes on where that one fails. */
    isRescued: boolean;
  },
  "track"
>;

/** A track out of a step, as that one stands: solid where the run went along it, dotted where it did not. */
export function TrackLine({ source, sourceX, sourceY, targetX, targetY, data }: EdgeProps<TrackEdge>) {
  const mark = useMark(source);
  const taken = isTaken(mark, data?.port);
  const isEnd = mark?.status === "failed" && taken === false && data?.isRescued === false;
  return (
    <g data-taken={taken} data-from={source} className="fill-none">
      <path d={trackPath({ x: sourceX, y: sourceY }, { x: targetX, y: targetY }, data?.turn)} className={lookOf(mark, taken)} />
      {isEnd && <path data-end d={bufferPath({ x: sourceX, y: sourceY })} className={TRACK_LOOKS.failed} />}
      {data?.label !== undefined && <Label {...data.label} x={targetX - LABEL_MARGIN} y={targetY - LABEL_MARGIN} />}
    </g>
  );
}

function lookOf(mark: Mark | undefined, taken: boolean | undefined): string {
  if (mark === undefined) return TRACK_LOOKS.queued;
  if (taken === undefined) return TRACK_LOOKS[STATUS_LOOKS[mark.status].tone];
  if (!taken) return TRACK_LOOKS.skipped;
  return mark.status === "failed" ? TRACK_LOOKS.failed : TRACK_LOOKS.succeeded;
}

interface Point {
  x: number;
  y: number;
}

/** The names of ports above their track, cut out of whatever else may pass there. */
function Label({ text, whole, x, y }: PortLabel & Point) {
  return (
    <text
      x={x}
      y={y}
      textAnchor="end"
      data-port={text}
      className="pointer-events-auto fill-ink-2 stroke-canvas stroke-4 font-mono text-xs [paint-order:stroke]"
    >
      {text}
      {whole !== undefined && <title>{whole}</title>}
    </text>
  );
}
