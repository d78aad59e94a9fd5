"""Callers of hooks who wait for a run, and what becomes of them without Redis, without workers, and at the end."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from engine.core.events import ErrorInfo, RunEvent, RunFailed, RunSucceeded, StepSucceeded, encode_event, event_type
from engine.infra.settings import Settings
from tests.integration.api.served import Served, serving
from tests.product import wait_for

NOW = datetime(2027, 1, 1, tzinfo=UTC)
DEFINITION = {
    "schema": 1,
    "steps": [
        {"id": "keep", "type": "transform", "with": {"values": {}}},
        {"id": "answer", "type": "respond", "with": {"body": "{{ trigger.body }}"}, "after": ["keep"]},
    ],
}


@pytest.fixture
def served(settings: Settings, clean_database: str) -> Iterator[Served]:
    """An API that has no Redis, and whose runs no worker takes."""
    with serving(msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1/0")) as running:
        yield running


def make_hook(url: str, **config: Any) -> str:
    """The address of a hook whose callers wait, in a product that is set up for it."""
    person = {"email": "o@example.com", "password": "correct horse battery staple", "name": "O", "workspace": "W"}
    tokens = httpx.post(f"{url}/v1/setup", json=person, timeout=60).raise_for_status().json()
    with httpx.Client(base_url=url, timeout=60, headers={"authorization": f"Bearer {tokens['access_token']}"}) as owner:
        workflow = owner.post("/v1/workflows", json={"name": "W", "definition": DEFINITION}).raise_for_status().json()
        owner.post(f"/v1/workflows/{workflow['id']}/publish").raise_for_status()
        body = {"type": "webhook", "config": {"respond": "sync", "respond_timeout": 120, **config}}
        trigger = owner.post(f"/v1/workflows/{workflow['id']}/triggers", json=body).raise_for_status().json()
    address: str = url + "/v1/hooks/" + trigger["url"].rpartition("/")[2]
    return address


def find_run(database_url: str) -> UUID:
    """The run that was accepted, once it is."""

    async def look() -> UUID | None:
        connection = await asyncpg.connect(database_url)
        try:
            found: UUID | None = await connection.fetchval("SELECT id FROM run")
            return found
        finally:
            await connection.close()

    return wait_for(lambda: asyncio.run(look()), seconds=60, what="run")


def write_journal(database_url: str, run_id: UUID, *events: RunEvent) -> None:
    """Write events behind the first one, as a worker does."""

    async def write() -> None:
        connection = await asyncpg.connect(database_url)
        try:
            await connection.executemany(
                "INSERT INTO journal (run_id, seq, kind, at, payload) VALUES ($1, $2, $3, $4, $5)",
                [
                    (run_id, seq, event_type(event), NOW, encode_event(event))
                    for seq, event in enumerate(events, start=2)
                ],
            )
        finally:
            await connection.close()

    asyncio.run(write())


@pytest.mark.parametrize(
    ("events", "status", "text"),
    [
        pytest.param(
            [
                StepSucceeded(at=NOW, step="keep", output={}),
                StepSucceeded(at=NOW, step="answer", output={"status": 418, "headers": {}, "body": "short and stout"}),
            ],
            418,
            "short and stout",
            id="a step responds",
        ),
        pytest.param(
            [StepSucceeded(at=NOW, step="keep", output={}), RunSucceeded(at=NOW, output=7, reason="completed")],
            200,
            '"output":7',
            id="the run ends",
        ),
        pytest.param(
            [RunFailed(at=NOW, error=ErrorInfo(code="broken", message="it is broken"), reason="step_failed")],
            502,
            "it is broken",
            id="the run fails",
        ),
    ],
)
def test_without_redis_the_answer_is_found_in_the_journal(
    served: Served, settings: Settings, events: list[RunEvent], status: int, text: str
) -> None:
    hook = make_hook(served.url)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(httpx.post, hook, json={}, timeout=150)
        write_journal(settings.database_url, find_run(settings.database_url), *events)
        answer = waiting.result()
    assert answer.status_code == status
    assert text in answer.text


def test_a_process_that_ends_tells_waiting_callers_their_run(served: Served, settings: Settings) -> None:
    hook = make_hook(served.url)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(httpx.post, hook, json={}, timeout=150)
        run_id = find_run(settings.database_url)
        served.process.terminate()
        answer = waiting.result()
    assert (answer.status_code, answer.json()["code"]) == (504, "answer_timeout")
    assert answer.json()["run_id"] == str(run_id)
    assert served.process.wait(timeout=60) == 0
