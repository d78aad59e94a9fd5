"""Events in words: one line each."""

from datetime import datetime
from typing import Any, Final

SYMBOLS: Final = {
    "succeeded": "✓",
    "failed": "✗",
    "timed_out": "✗",
    "cancelled": "■",
    "skipped": "-",
    "running": "▶",
    "retrying": "↻",
    "waiting": "…",
    "pending": "·",
}
COLOURS: Final = {
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "cancelled": "yellow",
    "skipped": "bright_black",
    "running": "cyan",
    "retrying": "yellow",
    "waiting": "blue",
    "pending": "bright_black",
    "queued": "bright_black",
}
_STATUSES: Final = {"started": "running", "resumed": "running", "retried": "queued", "held": "queued"}
_LONGEST_REASON: Final = 200


def read_time(text: str | None) -> datetime | None:
    """A moment of the API."""
    return None if text is None else datetime.fromisoformat(text)


def say_duration(seconds: float) -> str:
    """A span as short as it can be told: `40 ms`, `3.2 s`, `4 min 5 s`, `2 h 3 min`, `5 d 4 h`."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for large, small, names in ((86400, 3600, ("d", "h")), (3600, 60, ("h", "min")), (60, 1, ("min", "s"))):
        if whole >= large:
            return f"{whole // large} {names[0]} {whole % large // small} {names[1]}"
    return f"{whole} s"


def say_error(error: dict[str, Any] | None) -> str:
    """An error as code and sentence, cut to one line."""
    if not error:
        return ""
    text = " ".join(str(error.get("message", "")).split())
    return _cut(f"{error.get('code', 'error')}: {text}")


def status_of(event: dict[str, Any]) -> str:
    """The status that an event brings its step or run to: `step.started` makes it `running`."""
    name: str = event["type"].partition(".")[2]
    return _STATUSES.get(name, name)


def say_step(event: dict[str, Any]) -> str:
    """What an event says of its step, after the step's name."""
    data = event.get("data", event)
    status, at = status_of(event), read_time(event["at"])
    match status:
        case "running" if data.get("items") is not None:
            return f"goes through {data['items']} items"
        case "running":
            return "running" + (f", attempt {data['attempt']}" if data.get("attempt", 0) > 1 else "")
        case "waiting":
            return _say_wait(data, at)
        case "retrying":
            again = read_time(data["retry_at"])
            wait = say_duration((again - at).total_seconds()) if again and at else "a while"
            return f"attempt {data['attempt']} failed, again in {wait} ({say_error(data['error'])})"
        case "skipped":
            return f"skipped ({data['because']}: {data['reason']})"
        case "failed":
            return f"failed{_say_attempts(data)} ({say_error(data['error'])})"
        case "succeeded":
            port = f" -> {data['port']}" if data.get("port") else ""
            return f"succeeded{port}{_say_attempts(data)}"
        case _:
            return f"{status} ({data.get('reason', '')})"


def say_run(event: dict[str, Any]) -> str:
    """What an event says of the run itself."""
    data: dict[str, Any] = event["data"]
    status: str = event["type"].partition(".")[2].replace("_", " ")
    if data.get("error"):
        return f"{status} ({say_error(data['error'])})"
    if event["type"] == "run.signalled":
        return f"signalled: {data['name']}"
    if event["type"] == "run.held":
        return f"held: the limit of {data['limit']} for {data['key']!r} is reached"
    reason = data.get("reason")
    return status + (f" ({reason})" if reason else "")


def _say_wait(data: dict[str, Any], now: datetime | None) -> str:
    what, due = _say_what_for(data), read_time(data.get("due_at"))
    if due is None:
        return what or "waits"
    moment = _say_moment(due, now)
    return f"{what}, until {moment} at most" if what else f"waits until {moment}"


def _say_moment(moment: datetime, now: datetime | None) -> str:
    """The time of day by this machine's clock, with the date where it is another day than `now`."""
    here = moment.astimezone()
    is_today = now is not None and now.astimezone().date() == here.date()
    return here.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")


def _say_what_for(data: dict[str, Any]) -> str | None:
    if data.get("signal"):
        return f"waits for the signal {data['signal']!r}"
    if data.get("message"):
        return f"waits for a decision: {_cut(' '.join(data['message'].split()))}"
    if data.get("child_run_id"):
        return f"waits for run {data['child_run_id']}"
    return None


def _say_attempts(data: dict[str, Any]) -> str:
    return f" at attempt {data['attempt']}" if data.get("attempt", 0) > 1 else ""


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1].rstrip() + "…"
