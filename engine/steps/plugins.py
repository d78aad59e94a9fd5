"""Step types of other packages: each names a class in the entry-point group `flowforge.steps`.

What is wrong with one of them is never in the way of the others, nor of the product.
"""

import re
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from engine.steps.base import ActionStep, RetryDefaults, StepFailure
from engine.steps.schemas import describe_config

GROUP = "flowforge.steps"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_log = structlog.get_logger()


class PluginReport(Struct, frozen=True, kw_only=True):
    """What became of an entry point: `error` is why its step type was left out, empty where it is in use."""

    name: str
    place: str
    package: str
    error: str = ""


class Plugins(Struct, frozen=True, kw_only=True):
    """The step types that installed packages add, and a report of every entry point."""

    steps: tuple[ActionStep, ...]
    reports: tuple[PluginReport, ...]


def load_plugins(taken: Iterable[str]) -> Plugins:
    """The step types that installed packages add; those that cannot be used are left out, and reported.

    `taken` are the names of the product's own: no package can replace them.
    """
    names = set(taken)
    steps: list[ActionStep] = []
    reports: list[PluginReport] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda found: (found.name, found.value)):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
        error = ""
        try:
            step = _load(entry, names)
        except (Exception, SystemExit) as raised:
            error = f"{type(raised).__name__}: {raised}"
        else:
            names.add(step.name)
            steps.append(step)
        reports.append(PluginReport(name=entry.name, place=entry.value, package=package, error=error))
    return Plugins(steps=tuple(steps), reports=tuple(reports))


def tell_of_plugins(reports: Iterable[PluginReport]) -> None:
    """Log which step types packages add, and which were refused; once a process, when logs are set up."""
    for report in reports:
        told = {"entry_point": report.name, "place": report.place, "package": report.package}
        if report.error:
            _log.error("step_type_refused", **told, error=report.error)
        else:
            _log.info("step_type_added", **told)


def make_plain(output: Any) -> Any:
    """A result as JSON has it; raises StepFailure where it has no form there."""
    try:
        return msgspec.json.decode(msgspec.json.encode(output))
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise StepFailure("invalid_output", f"what the step gave is no JSON: {error}") from None


def _load(entry: EntryPoint, taken: set[str]) -> ActionStep:
    kind = entry.load()
    if not (isinstance(kind, type) and issubclass(kind, ActionStep)):
        raise TypeError(f"{entry.value} is no subclass of engine.steps.base.ActionStep")
    step = kind()
    _check_words(step)
    if step.name in taken:
        raise ValueError(f"the name '{step.name}' is taken")
    if step.ports or step.has_steps:
        raise ValueError("an action step has neither ports nor steps of its own")
    if not (isinstance(step.Config, type) and issubclass(step.Config, Struct)):
        raise TypeError(f"{entry.value}.Config is no msgspec.Struct")
    # A type that has no JSON Schema would break validation later.
    describe_config(step.Config)
    timeout, retry = step.default_timeout, step.default_retry
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ValueError(f"default_timeout is {timeout!r}; it must be seconds above 0")
    if not isinstance(retry, RetryDefaults):
        raise TypeError("default_retry is no engine.steps.base.RetryDefaults")
    return step


def _check_words(step: ActionStep) -> None:
    for field in ("name", "title", "icon"):
        if not isinstance(getattr(step, field, None), str) or not getattr(step, field):
            raise ValueError(f"`{field}` is missing; it must be a text")
    if not _NAME.fullmatch(step.name):
        raise ValueError(f"'{step.name}' is no name for a step type: it must match {_NAME.pattern}")
