"""`./flowforge loadtest` against real products: the profile of a minute, one that runs already, and Ctrl-C."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtests.profiles import PROFILES
from tests.e2e.client import Client
from tests.processes import processes_of, short_folder
from tests.product import Product, clean_environment, wait_for

# The profile takes a minute on a machine of its own; the rest is for slow ones.
PATIENCE_SECONDS = 400


def command(*arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "cli.main", "loadtest", *arguments]


def run_load_test(folder: Path, *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output, and figures by name."""
    answer = subprocess.run(
        command(*arguments, "--busy", "--output", str(folder / "report")),
        env=clean_environment(TMPDIR=str(folder)),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    output = answer.stdout + answer.stderr
    summary = folder / "report" / "summary.json"
    assert summary.exists(), output
    return answer.returncode, output, {one["name"]: one for one in json.loads(summary.read_text())["figures"]}


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder("load-") as path:
        yield path


@pytest.mark.timeout(PATIENCE_SECONDS + 30)
def test_every_event_of_a_minute_is_accounted_for_beside_readers_and_watchers(folder: Path) -> None:
    profile = PROFILES["minute"]
    code, output, figures = run_load_test(folder, "minute")
    assert code == 0, output
    count = round(profile.rate * profile.seconds)
    assert figures["accepted"]["value"] == figures["ended"]["value"] == count
    assert figures["distinct workflows at once"]["value"] == profile.workflows
    assert figures["ends shown by all streams"]["value"] == profile.workspace_streams * count
    assert figures["API reads"]["value"] > 0
    # The times are told whatever they are, and so is what the processes used.
    for name in ("webhook to 202 p99", "API read p99", "end to stream p99", "CPU of the product", "CPU, Locust"):
        assert figures[name]["value"] > 0
    report = folder / "report"
    assert (report / "report.html").read_text().count("<svg") >= 8
    assert "Locust" in (report / "locust.html").read_text()
    assert processes_of(folder) == []
    assert [path.name for path in folder.iterdir()] == ["report"]


@pytest.mark.timeout(PATIENCE_SECONDS + 30)
def test_a_product_that_runs_already_is_left_as_it_was(folder: Path, product: Product, client: Client) -> None:
    before = client.read("/v1/workflows", limit=200)["items"]
    token = client.http.headers["authorization"].removeprefix("Bearer ")
    arguments = ("--url", product.url, "--token", token, "--rate", "5", "--seconds", "20")
    code, output, figures = run_load_test(folder, "events", *arguments)
    assert code == 0, output
    assert figures["accepted"]["value"] == figures["ended"]["value"] == 100
    assert figures["receipts"]["value"] == 100
    assert figures["CPU of the product"]["verdict"] == "not measured"
    assert client.read("/v1/workflows", limit=200)["items"] == before
    assert not (folder / "report" / "plan.json").exists()


@pytest.mark.timeout(200)
def test_ctrl_c_leaves_no_process_and_no_token(folder: Path) -> None:
    with subprocess.Popen(
        command("events", "--output", str(folder / "report")),
        env=clean_environment(TMPDIR=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as running:
        assert running.stdout is not None
        output = iter(running.stdout.readline, "")
        assert any("events/s for" in line for line in output)
        wait_for((folder / "report" / "sent.jsonl").exists, what="Locust at work", seconds=60)
        running.send_signal(signal.SIGINT)
        told = running.stdout.read()
        assert running.wait(100) == 130, told
    wait_for(lambda: processes_of(folder) == [], what="end of all processes", seconds=60)
    assert [path.name for path in folder.iterdir()] == ["report"]
    assert not (folder / "report" / "plan.json").exists()
