"""What the demo leaves its visitors with: commands that lead to the product in which it ran."""

from pathlib import Path
from typing import Any

import pytest

from cli.client.sessions import Session, Sessions
from cli.demo.loading import Loaded
from cli.demo.place import Place
from cli.demo.results import explain_refusal, print_next, print_results
from cli.demo.tour import Shown, is_refused

URL = "http://127.0.0.1:8123"


def make_run(**changes: Any) -> dict[str, Any]:
    return {
        "id": "0199",
        "status": "succeeded",
        "created_at": "2026-01-31T09:00:00Z",
        "finished_at": "2026-01-31T09:00:02Z",
        "output": {"n": 1},
        "error": None,
        "steps": [],
        **changes,
    }


SHOWN = [Shown(workflow="order-processing", run=make_run())]
LOADED = {
    name: Loaded(id="0198", name=f"Demo: {name}", outcome="created", hook=f"{URL}/v1/hooks/x")
    for name in ("order-processing", "expense-approval")
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FLOWFORGE_URL", "FLOWFORGE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("folder", "url", "command"),
    [
        pytest.param(".flowforge", "http://127.0.0.1:8000", "./flowforge demo", id="defaults"),
        pytest.param("my data", URL, "./flowforge demo --data-dir 'my data' --port 8123", id="another place"),
    ],
)
def test_a_product_that_ends_with_the_demo_is_started_by_the_same_again(
    capsys: pytest.CaptureFixture[str], folder: str, url: str, command: str
) -> None:
    print_next(Place(url=url, folder=Path(folder), is_ours=True), SHOWN, LOADED, stays=False)
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].strip() == command
    assert "logs" not in printed, "nobody would answer"


def test_a_product_that_stays_is_led_to_and_named_where_commands_would_find_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = Place(url=URL, folder=Path(".flowforge"), is_ours=False)
    print_next(place, SHOWN, LOADED, stays=True)
    named = capsys.readouterr().out
    assert f"./flowforge logs 0199 --url {URL}" in named
    assert f"curl -sS {URL}/v1/hooks/x" in named
    Sessions().keep(URL, Session(access_token="a"))
    print_next(place, SHOWN, LOADED, stays=True)
    assert "--url" not in capsys.readouterr().out


def test_without_the_target_nothing_is_offered_that_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_next(Place(url=URL, folder=Path(".flowforge"), is_ours=False), SHOWN, LOADED, stays=False)
    printed = capsys.readouterr().out
    assert "./flowforge runs" in printed
    assert "curl" not in printed


def test_results_tell_outputs_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    failed = make_run(status="failed", output=None, error={"code": "http_status", "message": "answered 500"})
    print_results([*SHOWN, Shown(workflow="nightly-report", run=failed)])
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in lines if "order" in line or "night" in line] == [
        '✓ succeeded order-processing 2.0 s {"n":1}',
        "✗ failed nightly-report 2.0 s http_status: answered 500",
    ]


def test_a_refused_target_is_recognised_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert not is_refused(make_run(steps=[{"error": None}, {"error": {"code": "http_status"}}]))
    assert is_refused(make_run(steps=[{"error": {"code": "egress_blocked"}}]))
    explain_refusal(Place(url=URL, folder=Path("x"), is_ours=False), "127.0.0.1:8707")
    told = capsys.readouterr().err
    assert URL in told
    assert "FLOWFORGE_HTTP_ALLOW_PRIVATE=127.0.0.1:8707 ./flowforge up" in told
