import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Figure } from "@/components/ui/panel";
import { formatCount, formatDuration, formatRate, formatShare } from "@/lib/format";
import type { Stats } from "./api";
import { failedRuns, totalRuns } from "./health";
import type { StatsWindow } from "./window";

/** The figures at a glance. */
export function Tiles({ stats, window }: { stats: Stats; window: StatsWindow }) {
  const { runs } = stats;
  const { p50, p95 } = runs.duration_ms;
  const failed = failedRuns(stats);
  return (
    <dl aria-label="Figures" className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-6">
      <Figure label="Runs" note={`${formatCount(runs.by_status.running)} running, ${formatCount(runs.by_status.waiting)} waiting`}>
        {formatCount(totalRuns(stats))}
      </Figure>
      <Figure label="Failed" note={runs.success_rate === null ? "nothing has ended" : `${formatShare(runs.success_rate)} succeeded`}>
        {failed === 0 ? "0" : <FailedLink window={window}>{formatCount(failed)}</FailedLink>}
      </Figure>
      <Figure label="Duration" note={p95 === null ? "nothing has ended" : `95% below ${formatDuration(p95)}`}>
        {p50 === null ? "–" : formatDuration(p50)}
      </Figure>
      <Figure label="Queue" note="runs that wait for a worker">
        {formatCount(stats.queue_depth)}
      </Figure>
      <Figure label="In flight" note="attempts of steps">
        {formatCount(stats.steps_in_flight)}
      </Figure>
      <Figure label="Events" note="accepted a minute, lately">
        {formatRate(stats.events_per_minute)}
      </Figure>
    </dl>
  );
}

/** The runs that failed, of the same time. */
export function FailedLink({ window, workflow, children }: { window: StatsWindow; workflow?: string; children: ReactNode }) {
  return (
    <Link
      to="/runs"
      search={{
        status: ["failed", "timed_out"],
        period: window,
        ...(workflow === undefined ? {} : { workflow }),
      }}
      className="inline-block min-h-6 underline"
    >
      {children}
    </Link>
  );
}
