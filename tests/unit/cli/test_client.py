"""The client's parts that need no product."""

import io
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.client.api import explain
from cli.client.board import Board
from cli.client.errors import ClientError
from cli.client.options import DEFAULT_URL, find_url
from cli.client.sessions import Session, Sessions
from cli.client.telling import say_duration, say_run, say_step
from cli.client.wire import Answer, normalise_url
from tests.architecture.sources import ROOT

COMMANDS = (
    "login",
    "import_",
    "export",
    "run",
    "runs",
    "logs",
    "cancel",
    "retry",
    "rerun",
    "signal",
    "approvals",
    "approve",
    "reject",
)
AT = "2026-01-31T09:00:00Z"
LATER = "2026-02-02T09:00:00Z"


def here(moment: str, form: str) -> str:
    """A moment by this machine's clock."""
    return datetime.fromisoformat(moment).astimezone().strftime(form)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_of_the_client_start_without_loading_the_product(name: str) -> None:
    heavy = "{'sqlalchemy', 'litestar', 'aiohttp', 'asyncio', 'app'}"
    script = f"import sys, cli.main, cli.commands.{name}; print([m for m in sys.modules if m in {heavy}])"
    answer = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 ms"), (0.04, "40 ms"), (3.21, "3.2 s"), (65, "1 min 5 s"), (7380, "2 h 3 min"), (446_400, "5 d 4 h")],
)
def test_durations_are_told_shortly(seconds: float, text: str) -> None:
    assert say_duration(seconds) == text


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://a", "http://", "http://a:99999", "http://u:p@a", "http://a?b"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ClientError, match="is no address") as raised:
        normalise_url(url)
    assert raised.value.code == 2


def test_the_address_is_the_named_one_then_the_last_one_then_the_one_that_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FLOWFORGE_URL", "FLOWFORGE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    sessions = Sessions(tmp_path / "config")
    assert find_url(None, sessions) == DEFAULT_URL
    (tmp_path / ".flowforge").mkdir()
    (tmp_path / ".flowforge" / "run.json").write_text('{"url": "http://127.0.0.1:8001"}')
    assert find_url(None, sessions) == "http://127.0.0.1:8001"
    sessions.keep("http://127.0.0.1:8002", Session(access_token="a"))
    assert find_url(None, sessions) == "http://127.0.0.1:8002"
    monkeypatch.setenv("FLOWFORGE_URL", "http://127.0.0.1:8003/")
    assert find_url(None, sessions) == "http://127.0.0.1:8003"
    assert find_url("http://127.0.0.1:8004", sessions) == "http://127.0.0.1:8004"


def test_sessions_that_cannot_be_read_say_how_to_mend_it(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    sessions.path.write_text("{")
    with pytest.raises(ClientError, match=r"Remove it, and sign in again") as raised:
        sessions.find("http://127.0.0.1:8000")
    assert raised.value.code == 2


def test_a_problem_is_told_with_its_faults() -> None:
    faults = [{"pointer": f"/steps/{n}", "code": "x", "message": "is wrong"} for n in range(25)]
    body = msgspec.json.encode({"detail": "The definition has faults.", "errors": faults})
    error = explain(Answer(status=422, headers={}, body=body), "http://a")
    lines = str(error).splitlines()
    assert lines[:2] == ["The definition has faults:", "  /steps/0: is wrong"]
    assert (lines[-1], error.code) == ("  and 5 more", 1)


def test_an_answer_of_somebody_else_is_recognised() -> None:
    error = explain(Answer(status=404, headers={}, body=b"<html>"), "http://a")
    assert (str(error), error.code) == ("http://a answers 404, and not as FlowForge does. Correct --url.", 2)


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"seq": 1, "type": kind, "at": AT, "data": data}


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (event("step.succeeded", step="a", port="true"), "succeeded -> true"),
        (event("step.succeeded", step="a", attempt=3), "succeeded at attempt 3"),
        (event("step.started", step="a", attempt=0, items=7), "goes through 7 items"),
        (
            event("step.waiting", step="a", signal="paid", due_at=AT),
            f"waits for the signal 'paid', until {here(AT, '%H:%M:%S')} at most",
        ),
        (event("step.waiting", step="a", message="Go\non?"), "waits for a decision: Go on?"),
        (event("step.waiting", step="a", child_run_id="0199"), "waits for run 0199"),
        (event("step.waiting", step="a", due_at=AT), f"waits until {here(AT, '%H:%M:%S')}"),
        (event("step.waiting", step="a", due_at=LATER), f"waits until {here(LATER, '%Y-%m-%d %H:%M:%S')}"),
        (
            event("step.skipped", step="a", because="b.true", reason="port_not_taken"),
            "skipped (b.true: port_not_taken)",
        ),
        (
            event(
                "step.retrying",
                step="a",
                attempt=1,
                error={"code": "http_status", "message": "503"},
                retry_at="2026-01-31T09:00:02Z",
            ),
            "attempt 1 failed, again in 2.0 s (http_status: 503)",
        ),
        (event("step.cancelled", step="a", reason="run_failed"), "cancelled (run_failed)"),
        (
            event("step.failed", step="a", attempt=1, error={"code": "x", "message": "word " * 100}),
            f"failed (x: {'word ' * 39}w…)",
        ),
    ],
)
def test_a_steps_event_is_one_line(told: dict[str, Any], text: str) -> None:
    assert say_step(told) == text


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (event("run.timed_out", error={"code": "run_timeout", "message": "late"}), "timed out (run_timeout: late)"),
        (event("run.signalled", name="paid", reason="requested"), "signalled: paid"),
        (event("run.held", key="k", limit=2, reason="concurrency"), "held: the limit of 2 for 'k' is reached"),
        (event("run.succeeded", reason="completed"), "succeeded (completed)"),
    ],
)
def test_a_runs_event_is_one_line(told: dict[str, Any], text: str) -> None:
    assert say_run(told) == text


class Terminal(io.StringIO):
    """Something that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def step(name: str) -> dict[str, Any]:
    return {"id": name, "path": name, "status": "pending", "started_at": None, "finished_at": None}


def test_a_terminal_shows_no_more_lines_than_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "12")
    monkeypatch.setenv("COLUMNS", "40")
    output = Terminal()
    board = Board([step(f"s{n}") for n in range(50)], output)
    board.show(event("step.failed", step="s49", error={"code": "x", "message": "y" * 200}, reason="failed"))
    board.close()
    frame = output.getvalue().rpartition("F\x1b[2K")[2]
    rows = frame.splitlines()
    assert len(rows) - 1 <= 11
    assert any("s49" in row for row in rows), "what failed is shown"
    assert "  and 42 more" in frame
    assert all(len(row) < 90 for row in rows)


def test_a_loop_counts_what_ended_within_it() -> None:
    output = Terminal()
    board = Board([step("each")], output)
    board.show(event("step.started", step="each", attempt=0, items=2))
    board.show(event("step.succeeded", step="each[0].get"))
    board.show(event("step.failed", step="each[1].get", error={"code": "x", "message": ""}, reason="failed"))
    board.close()
    assert "2 steps of 2 items ended, 1 failed" in output.getvalue()
