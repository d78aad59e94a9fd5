import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import msgspec
import pytest
from aiohttp import web

from cli.migrations import migrate
from engine.core.events import decode_event, event_type
from engine.core.queueing import announce_queued, make_queued_event
from engine.infra.database import DATABASE_ERRORS, connect, create_pool
from engine.infra.http_client import HttpClient
from engine.infra.ids import new_id
from engine.infra.redis import create_redis
from engine.infra.settings import Settings
from engine.store.starts import Start, accept_starts
from engine.worker.engine import Engine
from tests.integration.worker.retained import Place
from tests.product import PATIENCE_SECONDS

Answer = Callable[[web.Request], Awaitable[web.Response]]


class Target:
    """An HTTP server that remembers what it was asked; `answer` may be replaced."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.arrived = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.address = ""
        self.status = 200
        self.in_flight = self.most_in_flight = 0

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for _, headers in self.requests]

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, dict(request.headers)))
        self.arrived.set()
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.gate.wait()
        finally:
            self.in_flight -= 1
        return web.json_response({"path": request.path}, status=self.status)


@contextlib.asynccontextmanager
async def serve_target() -> AsyncIterator[Target]:
    """A target on a port of its own."""
    target = Target()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", target.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    target.address = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield target
    finally:
        target.gate.set()
        await runner.cleanup()


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    async with serve_target() as target:
        yield target


class Workshop:
    """Engines of this process, and runs for them, over a real database."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool) -> None:
        self.settings = settings
        self.pool = pool
        self.workspace_id = new_id()
        self.lives: list[asyncio.Task[None]] = []
        self._stack = contextlib.AsyncExitStack()

    async def engine(self, **changes: Any) -> tuple[Engine, asyncio.Task[None]]:
        """A worker's engine, ready to take runs; without a doorbell: its sweep finds them."""
        settings = msgspec.structs.replace(self.settings, **changes)
        http = await self._stack.enter_async_context(HttpClient(settings))
        redis = create_redis(settings, name="test")
        self._stack.push_async_callback(redis.aclose)
        while True:
            engine, ready = Engine(settings, redis, http), asyncio.Event()
            life, starting = asyncio.create_task(engine.run(ready)), asyncio.create_task(ready.wait())
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.wait({life, starting}, return_when=asyncio.FIRST_COMPLETED)
            starting.cancel()
            if life.done() and isinstance(life.exception(), DATABASE_ERRORS):
                # A worker's process starts another one then.
                continue
            self.lives.append(life)
            return engine, life

    async def publish(self, steps: list[dict[str, Any]], **rest: Any) -> UUID:
        """A workflow's published version; its id is also the workflow's."""
        workflow_id, user_id = new_id(), new_id()
        definition = msgspec.json.encode({"schema": 1, "steps": steps, **rest})
        await self.pool.execute(
            "INSERT INTO workspace (id, name) VALUES ($1, 'w') ON CONFLICT DO NOTHING", self.workspace_id
        )
        await self.pool.execute(
            """
            INSERT INTO workflow (id, workspace_id, name, definition, published_version, created_by, updated_by)
            VALUES ($1, $2, 'w', $3, 1, $4, $4)
            """,
            workflow_id,
            self.workspace_id,
            definition,
            user_id,
        )
        await self.pool.execute(
            """
            INSERT INTO workflow_version (id, workspace_id, workflow_id, version, definition, published_by)
            VALUES ($1, $2, $1, 1, $3, $4)
            """,
            workflow_id,
            self.workspace_id,
            definition,
            user_id,
        )
        return workflow_id

    async def start(self, workflow_id: UUID, count: int = 1, run_input: Any = None) -> list[UUID]:
        """Accept runs."""
        at = datetime.now(UTC)
        starts = []
        for _ in range(count):
            run_id = new_id()
            starts.append(
                Start(
                    run_id=run_id,
                    workspace_id=self.workspace_id,
                    workflow_id=workflow_id,
                    version_id=workflow_id,
                    version=1,
                    trigger_id=None,
                    trigger_type="api",
                    at=at,
                    queued=make_queued_event(
                        at=at,
                        trigger={"type": "api"},
                        run_input=run_input or {},
                        workflow_id=workflow_id,
                        workflow_name="w",
                        version=1,
                        traceparent=None,
                    ),
                    message=announce_queued(
                        at=at, run_id=run_id, workspace_id=self.workspace_id, workflow_id=workflow_id
                    ),
                )
            )
        async with self.pool.acquire() as connection:
            accepted = await accept_starts(connection, starts)
        assert all(outcome.run_id for outcome in accepted)
        return [start.run_id for start in starts]

    async def row(self, run_id: UUID) -> asyncpg.Record:
        return await self.pool.fetchrow("SELECT * FROM run WHERE id = $1", run_id)

    async def journal(self, run_id: UUID) -> list[Any]:
        rows = await self.pool.fetch("SELECT seq, payload FROM journal WHERE run_id = $1 ORDER BY seq", run_id)
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1)), "seq has no gap"
        return [decode_event(row["payload"]) for row in rows]

    async def types(self, run_id: UUID) -> list[str]:
        return [event_type(event) for event in await self.journal(run_id)]

    async def wait(self, run_id: UUID, *statuses: str, seconds: float = PATIENCE_SECONDS) -> asyncpg.Record:
        """The run's row once it has one of these statuses."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            row = await self.row(run_id)
            if row["status"] in statuses:
                return row
            assert asyncio.get_running_loop().time() < deadline, f"the run is still {row['status']}"
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        for life in self.lives:
            life.cancel()
        await asyncio.gather(*self.lives, return_exceptions=True)
        await self._stack.aclose()


@pytest.fixture
async def workshop(
    settings: Settings, target: Target, clean_database: str, clean_redis: str
) -> AsyncIterator[Workshop]:
    quick = msgspec.structs.replace(
        settings,
        http_allow_private=target.address,
        worker_heartbeat_seconds=0.1,
        worker_ttl_seconds=2.0,
        sweep_seconds=0.1,
    )
    pool = await create_pool(quick, name="test", size=4)
    workshop = Workshop(quick, pool)
    yield workshop
    await workshop.close()
    await pool.close()


@pytest.fixture(scope="module")
async def template(servers: tuple[str, str]) -> AsyncIterator[str]:
    """The name of a database at the newest revision, of which each test gets a copy."""
    server = await asyncpg.connect(servers[0])
    await server.execute("CREATE DATABASE to_be_retained")
    url = urlunsplit(urlsplit(servers[0])._replace(path="/to_be_retained"))
    await asyncio.to_thread(migrate, Settings(database_url=url))
    yield "to_be_retained"
    await server.execute("DROP DATABASE to_be_retained")
    await server.close()


@pytest.fixture
async def place(servers: tuple[str, str], template: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    server = await asyncpg.connect(servers[0])
    await server.execute(f"CREATE DATABASE retained TEMPLATE {template}")
    settings = Settings(database_url=urlunsplit(urlsplit(servers[0])._replace(path="/retained")))
    connection = await connect(settings, name="test")
    yield Place(connection, settings, monkeypatch)
    await connection.close()
    await server.execute("DROP DATABASE retained WITH (FORCE)")
    await server.close()
