"""`./flowforge chaos`: the short profile, and that it leaves nothing behind."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.chaos.nemesis import DEFAULT, FAULTS, SHORT
from tests.processes import processes_of, short_folder
from tests.product import PATIENCE_SECONDS, clean_environment, wait_for

# For what hangs: servers, processes, load, faults, calm and checks take a minute, and on a busy machine several.
BUDGET_SECONDS = 600
LONG_SECONDS = 300


def command(*arguments: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "cli.main", "chaos", *arguments]


def run_chaos(folder: Path, *arguments: str, seconds: float) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output and report."""
    report = folder / "report.json"
    answer = subprocess.run(
        command(*arguments, "--json", str(report)),
        env=clean_environment(TMPDIR=str(folder)),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    output = answer.stdout + answer.stderr
    assert report.exists(), output
    return answer.returncode, output, json.loads(report.read_text())


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder("chaos-") as path:
        yield path


@pytest.mark.timeout(BUDGET_SECONDS + 10)
def test_nothing_is_lost_while_processes_die_and_servers_crash(folder: Path) -> None:
    code, output, report = run_chaos(
        folder, "--seconds", "1", "--faults", "short", "--seed", "4", seconds=BUDGET_SECONDS
    )
    assert code == 0, output
    assert "--seed 4" in output
    assert "Traceback" not in output
    assert {recovery["name"]: recovery["fired"] for recovery in report["recoveries"]} == dict.fromkeys(SHORT, 1)
    assert {verdict["number"] for verdict in report["verdicts"]} == {f"I{number}" for number in range(1, 12)}
    assert [verdict for verdict in report["verdicts"] if verdict["count"]] == []
    # It was no idle product that was broken.
    assert report["queue"]["acked"] > 100
    assert report["unknown_outcomes"] > 0
    assert report["reads"]["200"] > 0
    assert report["fenced_workers"] > 0
    assert report["repeated_effects"] > 0
    assert processes_of(folder) == []
    assert [path.name for path in folder.iterdir()] == ["report.json"]


@pytest.mark.timeout(2 * BUDGET_SECONDS + 10)
def test_nothing_is_lost_when_the_disk_is_full_or_the_primary_is_gone_or_stands_still(folder: Path) -> None:
    faults = {"failover", "fill_disk", "freeze_postgres"}
    code, output, report = run_chaos(
        folder, "--seconds", "1", "--faults", ",".join(sorted(faults)), "--seed", "5", seconds=2 * BUDGET_SECONDS
    )
    assert code == 0, output
    fired = {recovery["name"]: recovery["fired"] for recovery in report["recoveries"]}
    assert fired == dict.fromkeys(faults - report["obstacles"].keys(), 1)
    assert [verdict for verdict in report["verdicts"] if verdict["count"]] == []
    assert report["queue"]["acked"] > 50
    assert report["answers"]["503 database_unavailable"] > 0
    assert processes_of(folder) == []
    assert [path.name for path in folder.iterdir()] == ["report.json"]
    if report["obstacles"]:
        pytest.skip("; ".join(f"{name}: {why}" for name, why in report["obstacles"].items()))


@pytest.mark.full
@pytest.mark.timeout(BUDGET_SECONDS + 10)
def test_what_an_asynchronous_standby_costs_is_found(folder: Path) -> None:
    code, output, report = run_chaos(
        folder, "--seconds", "1", "--faults", "failover_async", "--seed", "6", seconds=BUDGET_SECONDS
    )
    if report["obstacles"]:
        pytest.skip("; ".join(f"{name}: {why}" for name, why in report["obstacles"].items()))
    assert code == 1, output
    assert report["queue"]["lost"] > 0
    assert next(verdict for verdict in report["verdicts"] if verdict["number"] == "I1")["count"] > 0
    assert processes_of(folder) == []


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.full)], ids=["ctrl_c", "sigterm"]
)
def test_a_signal_leaves_no_process_and_no_file(folder: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        command("--seconds", "60", "--faults", "kill_relay"),
        env=clean_environment(TMPDIR=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    ) as running:
        assert running.stdout is not None
        output = iter(running.stdout.readline, "")
        assert any("F4 kill_relay" in line for line in output)
        running.send_signal(number)
        assert running.wait(PATIENCE_SECONDS) == 130
    wait_for(lambda: processes_of(folder) == [], what="end of all processes")
    assert list(folder.iterdir()) == []


def test_an_unknown_fault_is_told_with_those_that_there_are() -> None:
    answer = subprocess.run(
        command("--faults", "earthquake"), env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 2
    assert all(name in answer.stderr for name in ("earthquake", *FAULTS))


@pytest.mark.full
@pytest.mark.timeout(2 * LONG_SECONDS + 300)
def test_nothing_is_lost_under_every_fault_again_and_again(folder: Path) -> None:
    code, output, report = run_chaos(folder, "--seconds", str(LONG_SECONDS), seconds=2 * LONG_SECONDS + 240)
    assert code == 0, output
    assert {recovery["name"] for recovery in report["recoveries"]} | report["obstacles"].keys() == set(DEFAULT)
    assert all(recovery["fired"] for recovery in report["recoveries"])
    assert report["fenced_writes"] > 0
    assert report["repeated_effects"] > 0
