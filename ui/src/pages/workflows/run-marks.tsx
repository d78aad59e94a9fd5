import { useNavigate } from "@tanstack/react-router";
import { memo } from "react";
import type { Workflow } from "@/features/workflows/api";
import { formatFull } from "@/lib/format";
import { useZone } from "@/lib/preferences";
import { STATUS_LOOKS } from "@/lib/status";
import { MARK_SHAPES, describeRuns } from "./marks";

const WIDTH = 5;
const GAP = 2;
const HEIGHT = 20;
const MOST = 20;

/**
 * The last runs of a workflow as marks, the newest at the right.
 *
 * One picture with a sentence: twenty links a row would be a thousand stops for who goes by keyboard. A press on a mark
 * opens its run; for keys, the workflow's page lists the same runs.
 */
export const RunMarks = memo(function RunMarks({ runs }: { runs: Workflow["recent_runs"] }) {
  const navigate = useNavigate();
  const zone = useZone();
  const label = describeRuns(runs.map((run) => run.status));
  if (runs.length === 0) return <span className="text-ink-3">{label}</span>;
  return (
    <svg role="img" aria-label={label} width={MOST * (WIDTH + GAP)} height={HEIGHT} className="block max-w-full">
      {runs.map((run, index) => {
        const { height, look } = MARK_SHAPES[STATUS_LOOKS[run.status].tone];
        const tall = height * (HEIGHT - 2);
        const x = (runs.length - 1 - index) * (WIDTH + GAP) + 1;
        return (
          <g key={run.id} className="cursor-pointer" onClick={() => void navigate({ to: "/runs/$runId", params: { runId: run.id } })}>
            <title>{`${STATUS_LOOKS[run.status].label}, ${formatFull(run.created_at, zone)}`}</title>
            <rect x={x - 1} y={0} width={WIDTH + GAP} height={HEIGHT} className="fill-transparent" />
            <rect x={x} y={HEIGHT - 1 - tall} width={WIDTH - 1} height={tall} className={look} />
          </g>
        );
      })}
    </svg>
  );
});
