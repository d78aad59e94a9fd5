"""Every step type by its name."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from engine.core.definition import ActionTraits
from engine.steps.base import ActionStep, StepFailure, StepType
from engine.steps.control import FailStep, IfStep, RespondStep, SwitchStep, TransformStep
from engine.steps.http import HttpStep
from engine.steps.plugins import PluginReport, load_plugins
from engine.steps.schemas import describe_config
from engine.steps.waiting import ApprovalStep, DelayStep, ForeachStep, WaitStep, WorkflowStep

_OWN: tuple[StepType, ...] = (
    HttpStep(),
    IfStep(),
    SwitchStep(),
    TransformStep(),
    ForeachStep(),
    DelayStep(),
    WaitStep(),
    ApprovalStep(),
    WorkflowStep(),
    RespondStep(),
    FailStep(),
)
_PLUGINS = load_plugins(step.name for step in _OWN)
_STEP_TYPES: dict[str, StepType] = {step.name: step for step in (*_OWN, *_PLUGINS.steps)}
_FOREIGN = frozenset(step.name for step in _PLUGINS.steps)
_ACTIONS: dict[str, ActionStep] = {name: step for name, step in _STEP_TYPES.items() if isinstance(step, ActionStep)}


def step_types() -> Sequence[StepType]:
    """Every step type, in the order in which a palette shows them."""
    return tuple(_STEP_TYPES.values())


def plugin_reports() -> Sequence[PluginReport]:
    """What became of the step types that installed packages add."""
    return _PLUGINS.reports


def is_foreign(name: str) -> bool:
    """Whether another package adds this step type, so that nothing is known of what it gives."""
    return name in _FOREIGN


def get_step_type(name: str) -> StepType | None:
    """The step type of that name, or None."""
    return _STEP_TYPES.get(name)


def action_steps() -> Sequence[ActionStep]:
    """The step types that attempts perform."""
    return tuple(_ACTIONS.values())


def get_action(name: str) -> ActionStep:
    """The action step of that name; raises StepFailure where this process has none."""
    step = _ACTIONS.get(name)
    if step is None:
        raise StepFailure("unknown_step_type", f"this worker has no step type '{name}'")
    return step


def describe_traits(step: ActionStep) -> ActionTraits:
    """What the core must know of an action step."""
    retry = step.default_retry
    return ActionTraits(
        timeout=step.default_timeout,
        max_attempts=retry.max_attempts,
        initial=retry.initial,
        factor=retry.factor,
        max=retry.max,
        jitter=retry.jitter,
    )


@cache
def config_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a step type's `with`; raises KeyError for an unknown name. Not to be changed."""
    return describe_config(_STEP_TYPES[name].Config)
