"""What started a test: nothing did, so that a plausible trigger stands in its place."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.errors import InvalidTest
from engine.core.problems import Problem

_REQUEST: Mapping[str, Any] = {"body": None, "headers": {}, "query": {}, "method": None}
_OF_TYPE: Mapping[str, Mapping[str, Any]] = {
    "manual": {},
    "api": {},
    "webhook": {"body": {}, "headers": {"content-type": "application/json"}, "method": "POST"},
    "schedule": {},
    "event": {"event": {}},
    "workflow": {},
}


def make_trigger(given: Mapping[str, Any], at: datetime, *, pointer: str = "/trigger") -> dict[str, Any]:
    """The trigger of a test: what was given, over what a run of its type would see.

    Raises InvalidTest, whose pointer begins with where the trigger stood in the request.
    """
    kind = given.get("type", "manual")
    if not isinstance(kind, str) or kind not in _OF_TYPE:
        known = ", ".join(f"'{name}'" for name in _OF_TYPE)
        raise InvalidTest(errors=[Problem(f"{pointer}/type", "choice", f"a trigger's type is one of {known}")])
    due = {"due_at": at} if kind == "schedule" else {}
    return {"type": kind, **_REQUEST, "received_at": at, **due, **_OF_TYPE[kind], **given}
