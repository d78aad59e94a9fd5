"""PostgreSQL of a chaos run comes back after a fault, also where it does not do so by itself."""

import os
import signal
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from cli.chaos import servers as module
from cli.chaos.servers import Servers
from cli.servers.postgres import Postgres


class Server:
    """A server that runs, and refuses everybody until it has been started so many times."""

    pid = 4711
    url = ""

    def __init__(self, *, starts_needed: int) -> None:
        self.starts_needed = starts_needed
        self.has_ended = False
        self.signals: list[int] = []

    def poll(self) -> int | None:
        return 0 if self.has_ended else None

    def start(self) -> None:
        self.starts_needed -= 1
        self.has_ended = False

    def kill(self, _pid: int, number: int) -> None:
        self.signals.append(number)
        self.has_ended = True

    async def connect(self) -> asyncpg.Connection:
        if self.has_ended or self.starts_needed > 0:
            raise asyncpg.CannotConnectNowError("the database system is not yet accepting connections")
        return cast("asyncpg.Connection", Session())


class Session:
    def terminate(self) -> None:
        """Nothing is open."""


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    monkeypatch.setattr(module, "STUCK_SECONDS", 0.05)
    return Servers(tmp_path)


def put(servers: Servers, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    servers.postgres = cast("Postgres", cast("Any", server))
    monkeypatch.setattr(os, "kill", server.kill)


async def test_a_server_that_runs_and_answers_is_left_alone(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(starts_needed=0)
    put(servers, server, monkeypatch)
    assert await servers.bring_back(server.connect)
    assert not server.signals


async def test_a_server_that_has_stopped_is_started(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(starts_needed=1)
    server.has_ended = True
    put(servers, server, monkeypatch)
    assert await servers.bring_back(server.connect)
    assert not server.signals


async def test_a_server_that_never_accepts_anybody_is_started_anew(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(starts_needed=1)
    put(servers, server, monkeypatch)
    assert not await servers.bring_back(server.connect)
    assert server.signals == [signal.SIGQUIT]
