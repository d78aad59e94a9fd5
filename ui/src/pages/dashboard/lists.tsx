import { Link } from "@tanstack/react-router";
import { StatusBadge } from "@/components/ui/lamp";
import { Duration, Moment } from "@/components/ui/moment";
import { Panel } from "@/components/ui/panel";
import { isLive } from "@/lib/status";
import { nameTrigger } from "@/lib/trigger-words";
import type { Stats } from "./api";
import { FailedLink } from "./tiles";
import type { StatsWindow } from "./window";

/** The workflows of whose runs some failed, the worst first, with the last reason. */
export function FailingWorkflows({ workflows, window }: { workflows: Stats["failing_workflows"]; window: StatsWindow }) {
  return (
    <Panel id="failing" title="Failing workflows">
      {workflows.length === 0 && <p className="py-2 text-ink-3">No workflow fails.</p>}
      <ul>
        {workflows.map(({ workflow_id, name, failed, runs, last_run_id, last_failed_at, error_code, error_message }) => (
          <li key={workflow_id} className="border-t border-line py-row first-of-type:border-t-0">
            <div className="flex flex-wrap items-baseline justify-between gap-x-3">
              <span className="min-w-0 font-semibold wrap-anywhere">
                <FailedLink window={window} workflow={workflow_id}>
                  <bdi>{name}</bdi>
                </FailedLink>
              </span>
              <span className="text-ink-2">
                <span className="font-mono">{failed}</span> of <span className="font-mono">{runs}</span> failed
              </span>
            </div>
            <p className="text-xs text-ink-3">
              <Link to="/runs/$runId" params={{ runId: last_run_id }} className="inline-block min-h-6 leading-6 underline">
                The last one
              </Link>
              {last_failed_at !== null && (
                <>
                  {", "}
                  <Moment at={last_failed_at} isRelative />
                </>
              )}
              {": "}
              <span dir="auto" className="line-clamp-2 text-left wrap-anywhere">{error_message ?? error_code ?? "no reason is known"}</span>
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** The runs that workers have in their hands, as they go. */
export function RunningNow({ runs }: { runs: Stats["running"] }) {
  return (
    <Panel id="running" title="Running now">
      {/* As high as with eight of them: what comes and goes moves nothing else. */}
      <div className="min-h-[calc(var(--row)*8)]">
        {runs.length === 0 && <p className="py-2 text-ink-3">No run is under way.</p>}
        <ul>
          {runs.map(({ id, workflow_name, status, trigger_type, started_at, created_at }) => (
            <li key={id} className="flex h-(--row) items-center gap-3 border-t border-line first-of-type:border-t-0">
              <StatusBadge status={status} />
              <Link to="/runs/$runId" params={{ runId: id }} dir="auto" className="min-w-0 grow truncate text-left font-semibold hover:underline">
                {workflow_name}
              </Link>
              <span className="hidden text-xs text-ink-3 sm:inline">{nameTrigger(trigger_type)}</span>
              {isLive(status) && <Duration from={started_at ?? created_at} to={null} />}
            </li>
          ))}
        </ul>
      </div>
    </Panel>
  );
}
