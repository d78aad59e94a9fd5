"""How many webhooks a second are made durable and answered."""

import asyncio
from http import HTTPStatus

from cli.bench.figures import Figure, percentile
from cli.bench.hooks import send_all, until
from cli.bench.stage import Stage

CONNECTIONS = 32
BODY = b'{"id":7,"type":"order.created","customer":{"name":"Ada Lovelace","mail":"ada@example.com"},"total":129.5}'
WAIT_SECONDS = 120.0


async def measure(stage: Stage) -> list[Figure]:
    """32 connections send webhooks without a pause, for a workflow of one `if` step that runs at the same time."""
    seconds = stage.scale(5, 2)
    condition = {"id": "large", "type": "if", "with": {"condition": "trigger.body.total > 100"}}
    hook = await stage.product.publish("ingest", [condition])
    await send_all(hook.url, [BODY] * CONNECTIONS, connections=CONNECTIONS)
    cpu = stage.product.cpu_seconds()
    sent = await send_all(hook.url, until(seconds, lambda: BODY), connections=CONNECTIONS)
    after = stage.product.cpu_seconds()
    accepted = len(sent.latencies_ms)
    loop = asyncio.get_running_loop()
    stopped = loop.time()
    await stage.ledger.wait(hook.workflow_id, CONNECTIONS + accepted, seconds=WAIT_SECONDS)
    drained = loop.time() - stopped
    ceiling = await send_all(
        f"{stage.target.url}/step", until(1, lambda: BODY), connections=CONNECTIONS, status=HTTPStatus.OK
    )
    return [
        Figure(name="accepted events", value=accepted / sent.seconds, unit="events/s"),
        Figure(name="webhook to answer p50", value=percentile(sent.latencies_ms, 0.5), unit="ms"),
        Figure(name="webhook to answer p99", value=percentile(sent.latencies_ms, 0.99), unit="ms"),
        Figure(name="refused (503)", value=sent.refused, unit="events"),
        Figure(name="all runs succeeded after the last", value=drained, unit="s"),
        Figure(name="the sender alone", value=len(ceiling.latencies_ms) / ceiling.seconds, unit="requests/s"),
        *stage.cpu_figures(cpu, after, accepted, what="event"),
    ]
