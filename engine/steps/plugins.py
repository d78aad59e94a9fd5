"""Step types of other packages: each names a class in the entry-point group `flowforge.steps`."""

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points

import structlog
from msgspec import Struct

from engine.steps.base import ActionStep

GROUP = "flowforge.steps"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_log = structlog.get_logger()


def load_plugins(taken: frozenset[str]) -> Iterator[ActionStep]:
    """The step types that installed packages add; one that cannot be used is logged and left out.

    `taken` are the names of the product's own: no package can replace them.
    """
    names = set(taken)
    for entry in sorted(entry_points(group=GROUP), key=lambda found: found.name):
        try:
            step = _load(entry, names)
        except Exception as error:
            _log.error("step_type_refused", entry_point=entry.name, module=entry.value, error=repr(error))
            continue
        names.add(step.name)
        yield step


def _load(entry: EntryPoint, taken: set[str]) -> ActionStep:
    kind = entry.load()
    if not (isinstance(kind, type) and issubclass(kind, ActionStep)):
        raise TypeError(f"{entry.value} is no subclass of engine.steps.base.ActionStep")
    step = kind()
    if not _NAME.fullmatch(step.name):
        raise ValueError(f"{step.name!r} is no name for a step type: it must match {_NAME.pattern}")
    if step.name in taken:
        raise ValueError(f"the name '{step.name}' is taken")
    if not issubclass(step.Config, Struct):
        raise TypeError(f"{entry.value}.Config is no msgspec.Struct")
    return step
