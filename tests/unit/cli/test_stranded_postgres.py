"""A PostgreSQL that runs without the process that recovers it is told from one that starts, recovers or works."""

import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cli.servers import postgres as module
from cli.servers.postgres import Postgres
from cli.servers.process import child_commands
from tests.product import wait_for

PID = 4711
ALWAYS = ["postgres: checkpointer", "postgres: background writer"]


@pytest.fixture
def server(tmp_path: Path) -> Postgres:
    server = Postgres(tmp_path)
    server._process = cast("None", SimpleNamespace(pid=PID, poll=lambda: None))
    return server


@pytest.mark.parametrize(
    ("children", "is_stranded"),
    [
        ([*ALWAYS, "postgres: walwriter", "postgres: autovacuum launcher"], False),
        ([*ALWAYS, "postgres: startup recovering 00000001000000000000000D"], False),
        ([], False),
        (["postgres: flowforge postgres 127.0.0.1(5000) idle"], False),
        (ALWAYS, True),
    ],
    ids=["works", "recovers", "starts or cannot be seen", "cannot be seen whole", "stranded"],
)
def test_only_one_without_recovery_and_without_what_follows_it_is_stranded(
    server: Postgres, monkeypatch: pytest.MonkeyPatch, children: list[str], *, is_stranded: bool
) -> None:
    monkeypatch.setattr(module, "child_commands", lambda pid: children if pid == PID else [])
    assert not server.is_stranded(), "at one look every start looks like that"
    monkeypatch.setattr(module, "_STRANDED_SECONDS", 0.0)
    assert server.is_stranded() is is_stranded


def test_one_that_has_recovered_since_was_not_stranded(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ALWAYS
    monkeypatch.setattr(module, "child_commands", lambda _pid: names)
    assert not server.is_stranded()
    names = [*ALWAYS, "postgres: startup recovering 00000001000000000000000D"]
    assert not server.is_stranded()
    assert server._stranded_since == math.inf


def test_one_that_does_not_run_is_not_stranded(tmp_path: Path) -> None:
    assert not Postgres(tmp_path).is_stranded()


@pytest.mark.parametrize(
    ("children", "is_waited_for"),
    [([], False), (["postgres: startup recovering 00000001000000000000000D"], True), (ALWAYS, False)],
    ids=["cannot be seen", "recovers", "stranded"],
)
def test_a_silent_one_is_waited_for_as_long_as_it_is_seen_to_recover(
    server: Postgres, monkeypatch: pytest.MonkeyPatch, children: list[str], *, is_waited_for: bool
) -> None:
    now = 0.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(module, "child_commands", lambda _pid: children)
    server.log.write_text("starting")
    assert server._may_take_longer()
    now = 10_000.0
    assert server._may_take_longer() is is_waited_for


def test_one_that_cannot_be_seen_is_waited_for_while_it_logs(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(module, "child_commands", lambda _pid: [])
    for number in range(100):
        server.log.write_text(f"redo in progress, elapsed time: {'1' * number} s")
        now += 100.0
        assert server._may_take_longer()
    now += 299.0
    assert server._may_take_longer()
    now += 2.0
    assert not server._may_take_longer()


@pytest.mark.parametrize("platform", [sys.platform, "darwin"])
def test_the_children_of_a_process_are_told_by_their_commands(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    with subprocess.Popen(["sleep", "654321"]) as child:
        try:
            monkeypatch.setattr(sys, "platform", platform)
            wait_for(lambda: "sleep 654321" in child_commands(os.getpid()), what="command of the child")
            assert not any("sleep 654321" in command for command in child_commands(child.pid))
        finally:
            child.kill()
