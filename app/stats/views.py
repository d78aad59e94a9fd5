"""How the figures of runs are shown."""

from app.runs.schemas import RunCounts
from app.stats.schemas import FailingWorkflow, Percentiles, RunningRun, RunPoint, RunStats
from engine.core.statuses import RunStatus
from engine.store import dashboard
from engine.store.dashboard import POINTS, Failing, RunFigures


def show_runs(figures: RunFigures) -> RunStats:
    """The runs of a time as the API shows them."""
    counts = RunCounts(**figures.counts)
    decided = counts.succeeded + counts.failed + counts.timed_out
    part = (figures.until - figures.since) / POINTS
    return RunStats(
        since=figures.since,
        until=figures.until,
        by_status=counts,
        success_rate=counts.succeeded / decided if decided else None,
        duration_ms=Percentiles(p50=figures.taken[0], p95=figures.taken[1]),
        points=[
            RunPoint(
                at=figures.since + point.place * part,
                succeeded=point.succeeded,
                failed=point.failed,
                cancelled=point.cancelled,
                unfinished=point.unfinished,
                duration_ms=Percentiles(p50=point.p50_ms, p95=point.p95_ms),
            )
            for point in figures.points
        ],
    )


def show_failing(workflow: Failing) -> FailingWorkflow:
    """A workflow with failed runs as the API shows it."""
    return FailingWorkflow(
        workflow_id=workflow.workflow_id,
        name=workflow.name,
        failed=workflow.failed,
        runs=workflow.runs,
        last_run_id=workflow.last_run_id,
        last_failed_at=workflow.last_failed_at,
        error_code=workflow.error_code,
        error_message=workflow.error_message,
    )


def show_running(run: dashboard.RunningRun) -> RunningRun:
    """A run that goes on as the API shows it."""
    return RunningRun(
        id=run.id,
        workflow_id=run.workflow_id,
        workflow_name=run.workflow_name,
        version=run.version,
        status=RunStatus(run.status),
        trigger_type=run.trigger_type,
        created_at=run.created_at,
        started_at=run.started_at,
    )
