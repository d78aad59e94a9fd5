"""What the tests of the calls that steer runs have in common: a run that broke, and looks at what a call left."""

from typing import Any

import asyncpg
import httpx

from engine.core.events import ErrorInfo as Error
from engine.core.events import RunEvent, RunFailed, StepCancelled
from tests.integration.api.histories import at, failed, queued, started, succeeded

FAILURE = RunFailed(at=at(5), error=Error(code="broken", message="it is broken"), reason="step_failed")


def call(step_id: str, *after: str, **more: Any) -> dict[str, Any]:
    """An `http` step."""
    return {"id": step_id, "type": "http", "with": {"method": "GET", "url": "http://a/"}, "after": list(after), **more}


CHAIN = {"steps": [call("a"), call("b", "a"), call("c", "b")]}
BROKEN: list[RunEvent] = [
    queued(),
    started(),
    succeeded("a", 2, begin=1, output={"n": 1}),
    failed("b", 5),
    StepCancelled(at=at(5), step="c", reason="run_failed"),
    FAILURE,
]


def problem(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of the problem document that an answer must be."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


async def fetch(url: str, statement: str, *values: Any) -> list[asyncpg.Record]:
    """The rows of a statement."""
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(statement, *values))
    finally:
        await connection.close()
