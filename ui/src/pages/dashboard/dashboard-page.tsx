import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { buttonClass } from "@/components/ui/button";
import { Select } from "@/components/ui/field";
import { Health, HealthLine } from "@/components/ui/health";
import { Loaded } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState } from "@/components/ui/states";
import { useLive } from "@/lib/live";
import { type Stats, statsQuery } from "./api";
import { DurationChart, ThroughputChart } from "./charts";
import { findTrouble, isQuiet } from "./health";
import { IngestTile } from "./ingest-tile";
import { FailingWorkflows, RunningNow } from "./lists";
import { type Slot, fillSlots } from "./slots";
import { FailedLink, Tiles } from "./tiles";
import { useLiveStats } from "./use-live-stats";
import { type StatsWindow, USUAL, WINDOWS, readWindow } from "./window";

/** How the workspace does: the start page. */
export function DashboardPage() {
  const search = useSearch({ from: "/signed-in/" });
  const window = readWindow(search).window ?? USUAL;
  const navigate = useNavigate({ from: "/" });
  const isPolled = useLive((state) => state.status === "paused");
  const query = useQuery(statsQuery(window, isPolled));
  useLiveStats(window);
  return (
    <>
      <PageHeader title="Dashboard">
        <Select
          label="Time"
          value={window}
          onChange={(event) => void navigate({ search: readWindow({ window: event.target.value }), replace: true })}
        >
          {Object.entries(WINDOWS).map(([key, label]) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
        </Select>
      </PageHeader>
      <div className="px-4 pb-8 md:px-6">
        <Loaded query={query} rows={10}>
          {(stats) => <View stats={stats} window={window} isOld={query.isPlaceholderData} />}
        </Loaded>
      </div>
    </>
  );
}

function View({ stats, window, isOld }: { stats: Stats; window: StatsWindow; isOld: boolean }) {
  const slots = useMemo(() => fillSlots(stats.runs), [stats.runs]);
  const navigate = useNavigate();
  const showRuns = useCallback(
    ({ from, to }: Slot) => void navigate({ to: "/runs", search: { from: new Date(from).toISOString(), to: new Date(to).toISOString() } }),
    [navigate],
  );
  if (isQuiet(stats)) return <Nothing window={window} />;
  return (
    <div aria-busy={isOld || undefined} className="flex flex-col gap-3">
      <Trouble stats={stats} window={window} />
      <Tiles stats={stats} window={window} />
      <div className="grid gap-3 lg:grid-cols-2">
        <ThroughputChart slots={slots} onChoose={showRuns} />
        <DurationChart slots={slots} />
      </div>
      <div className="grid gap-3 lg:grid-cols-3">
        <FailingWorkflows workflows={stats.failing_workflows} window={window} />
        <RunningNow runs={stats.running} />
        <IngestTile ingest={stats.ingest} window={window} />
      </div>
    </div>
  );
}

/** What needs attention, and where more is told of it. */
function Trouble({ stats, window }: { stats: Stats; window: StatsWindow }) {
  return (
    <Health>
      {findTrouble(stats).map(({ tone, text, to }) => (
        <HealthLine key={text} tone={tone}>
          {to === "failures" && <FailedLink window={window}>{text}</FailedLink>}
          {to === "operations" && (
            <Link to="/operations" className="inline-block min-h-6 underline">
              {text}
            </Link>
          )}
          {to === undefined && text}
        </HealthLine>
      ))}
    </Health>
  );
}

function Nothing({ window }: { window: StatsWindow }) {
  return (
    <EmptyState
      icon="runs"
      title={window === USUAL ? "No runs in the last 24 hours" : `No runs in the ${WINDOWS[window].toLowerCase()}`}
      action={
        <Link to="/workflows" className={buttonClass("primary")}>
          To the workflows
        </Link>
      }
    >
      Start a workflow, or let a trigger do it: how its runs go is shown here.
    </EmptyState>
  );
}
