"""How soon a webhook has its effect while nothing else happens."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from http import HTTPStatus

import msgspec
from msgspec import Struct

from cli.bench.figures import BenchFailed, Figure, percentile, percentiles
from cli.bench.hooks import Connection
from cli.bench.stage import Stage

EVENTS_PER_SECOND = 10
FIRST_EFFECT_MS = 15.0
WAIT_SECONDS = 10.0


class _RunEvent(Struct):
    type: str
    run_id: str


class _Accepted(Struct):
    run_id: str


async def measure(stage: Stage) -> list[Figure]:
    """From sending a webhook: to its answer, to the first request at the target, to `succeeded` on the live stream."""
    count = stage.scale(200, 40)
    request = {"method": "GET", "url": stage.target.url + "/key/{{ trigger.body.key }}"}
    hook = await stage.product.publish("latency", [{"id": "effect", "type": "http", "with": request}])
    async with stage.product.stream() as stream:
        ended: dict[str, float] = {}
        listener = asyncio.create_task(_listen(stream.content, ended))
        connection = await Connection.open(hook.url)
        # The first ones pay for what is kept afterwards: plans, connections, the compiled graph.
        await _send(connection, ["warm0", "warm1", "warm2"])
        await stage.target.reset()
        sent = await _send(connection, [f"k{number}" for number in range(count)])
        await _wait_for_all(ended, sent)
        connection.close()
        listener.cancel()
    seen = (await stage.target.report()).first_seen
    if missing := sent.keys() - seen.keys():
        raise BenchFailed(f"{len(missing)} of {count} webhooks had no effect at the target")
    effects = [(seen[key] - event.sent_at) * 1000 for key, event in sent.items()]
    wholes = [(ended[event.run_id] - event.sent_at) * 1000 for event in sent.values()]
    answers = [event.answer_ms for event in sent.values()]
    bare = await stage.bare(count, 1)
    return [
        *percentiles("webhook to answer", answers),
        *percentiles("webhook to first effect", effects, p50_at_most=FIRST_EFFECT_MS),
        *percentiles("webhook to succeeded", wholes),
        Figure(name="bare request to the target p50", value=percentile(bare.latencies_ms, 0.5), unit="ms"),
    ]


class _Sent(Struct):
    sent_at: float
    answer_ms: float
    run_id: str


async def _send(connection: Connection, keys: list[str]) -> dict[str, _Sent]:
    sent = {}
    for key in keys:
        # Jitter, so that no beat of the product's own is hit each time, or missed each time.
        await asyncio.sleep(random.uniform(0.5, 1.5) / EVENTS_PER_SECOND)  # noqa: S311 - nothing secret
        began = time.monotonic()
        status, body = await connection.send(b'{"key":"%b"}' % key.encode())
        if status != HTTPStatus.ACCEPTED:
            raise BenchFailed(f"a webhook was answered {status}: {body.decode(errors='replace')}")
        answer_ms = (time.monotonic() - began) * 1000
        sent[key] = _Sent(began, answer_ms, msgspec.json.decode(body, type=_Accepted).run_id)
    return sent


async def _listen(lines: AsyncIterator[bytes], ended: dict[str, float]) -> None:
    async for line in lines:
        if line.startswith(b"data: "):
            event = msgspec.json.decode(line[6:], type=_RunEvent)
            if event.type == "run.succeeded":
                ended[event.run_id] = time.monotonic()


async def _wait_for_all(ended: dict[str, float], sent: dict[str, _Sent]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while any(event.run_id not in ended for event in sent.values()):
        if time.monotonic() > deadline:
            raise BenchFailed(f"not all of {len(sent)} runs were seen to succeed within {WAIT_SECONDS:.0f} s")
        await asyncio.sleep(0.01)
