"""`/v1/step-types`."""

import inspect
from functools import cache

from litestar import get

from app.auth.guards import requires
from app.auth.permissions import Permission
from app.pagination import Cursor, WholeLimit, cut_page
from app.step_types.schemas import RetryView, StepTypeList, StepTypeView
from engine.core.graph import ERROR_PORT
from engine.steps.base import ActionStep, StepType
from engine.steps.registry import config_schema, is_foreign, step_types


@get(
    "/step-types",
    operation_id="listStepTypes",
    summary="List step types",
    tags=["workflows"],
    guards=[requires(Permission.WORKFLOWS_READ)],
    sync_to_thread=False,
)
def list_step_types(limit: WholeLimit = None, cursor: Cursor = None) -> StepTypeList:
    """What a definition may use in this installation, with the JSON Schema of each configuration."""
    items, next_cursor = cut_page(_describe_all().items, limit, cursor, lambda item: item.name)
    return StepTypeList(items=items, next_cursor=next_cursor)


@cache
def _describe_all() -> StepTypeList:
    # What is installed does not change while this process lives.
    return StepTypeList(items=[_describe(step) for step in step_types()])


def _describe(step: StepType) -> StepTypeView:
    action = step if isinstance(step, ActionStep) else None
    return StepTypeView(
        name=step.name,
        title=step.title,
        icon=step.icon,
        description=inspect.cleandoc(type(step).__doc__ or "").partition("\n\n")[0],
        kind="control" if action is None else "action",
        ports=[*step.ports, ERROR_PORT],
        has_steps=step.has_steps,
        is_own=not is_foreign(step.name),
        timeout=None if action is None else action.default_timeout,
        retry=None if action is None else _describe_retry(action),
        schema=config_schema(step.name),
    )


def _describe_retry(action: ActionStep) -> RetryView:
    rule = action.default_retry
    return RetryView(
        max_attempts=rule.max_attempts, initial=rule.initial, factor=rule.factor, max=rule.max, jitter=rule.jitter
    )
