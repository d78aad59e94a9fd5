import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Figure } from "@/components/ui/panel";
import { formatDuration } from "@/lib/format";
import type { Stats } from "./api";
import { failedRuns, totalRuns } from "./health";
import type { StatsWindow } from "./window";

const count = new Intl.NumberFormat("en");
const share = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const rate = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** The figures at a glance. */
export function Tiles({ stats, window }: { stats: Stats; window: StatsWindow }) {
  const { runs } = stats;
  const { p50, p95 } = runs.duration_ms;
  const failed = failedRuns(stats);
  return (
    <dl aria-label="Figures" className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-6">
      <Figure label="Runs" note={`${count.format(runs.by_status.running)} running, ${count.format(runs.by_status.waiting)} waiting`}>
        {count.format(totalRuns(stats))}
      </Figure>
      <Figure label="Failed" note={runs.success_rate === null ? "nothing has ended" : `${share.format(runs.success_rate)} succeeded`}>
        {failed === 0 ? "0" : <FailedLink window={window}>{count.format(failed)}</FailedLink>}
      </Figure>
      <Figure label="Duration" note={p95 === null ? "nothing has ended" : `95% below ${formatDuration(p95)}`}>
        {p50 === null ? "–" : formatDuration(p50)}
      </Figure>
      <Figure label="Queue" note="runs that wait for a worker">
        {count.format(stats.queue_depth)}
      </Figure>
      <Figure label="In flight" note="attempts of steps">
        {count.format(stats.steps_in_flight)}
      </Figure>
      <Figure label="Events" note="accepted a minute, lately">
        {rate.format(stats.events_per_minute)}
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
