"""A PostgreSQL that runs without the process that recovers it is told from one that starts, recovers or works."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from cli.servers import postgres as module
from cli.servers.postgres import Postgres

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
    names = dict(enumerate(children, start=PID + 1))
    monkeypatch.setattr(module, "children_of", lambda pid: list(names) if pid == PID else [])
    monkeypatch.setattr(module, "command_line", names.__getitem__)
    assert not server.is_stranded(), "at one look every start looks like that"
    monkeypatch.setattr(module, "_STRANDED_SECONDS", 0.0)
    assert server.is_stranded() is is_stranded


def test_one_that_has_recovered_since_was_not_stranded(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ALWAYS
    monkeypatch.setattr(module, "children_of", lambda _pid: range(len(names)))
    monkeypatch.setattr(module, "command_line", lambda child: names[child])
    assert not server.is_stranded()
    names = [*ALWAYS, "postgres: startup recovering 00000001000000000000000D"]
    assert not server.is_stranded()
    assert server._stranded_since == math.inf


def test_one_that_does_not_run_is_not_stranded(tmp_path: Path) -> None:
    assert not Postgres(tmp_path).is_stranded()
