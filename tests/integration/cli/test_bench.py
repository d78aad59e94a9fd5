"""`bench`: a real product is measured, and the document says with what and where."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.bench.figures import Figure, percentile
from cli.bench.processes import cpu_seconds, descendants, machine_busy_seconds
from tests.product import run_command

FIELDS = {"name", "seconds", "load_before", "load_after", "others_percent", "figures", "error"}


def test_latency_is_measured_and_written_as_json(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    answer = run_command("bench", "latency", "--quick", "--json", str(file))
    assert answer.returncode == 0, answer.stderr
    assert "webhook to first effect p50" in answer.stdout
    report = json.loads(file.read_text())
    assert report["is_quick"] is True
    assert report["machine"]["cpus"] > 0
    assert {"python", "postgresql", "aiohttp"} <= report["machine"]["versions"].keys()
    (latency,) = report["benches"]
    assert latency.keys() == FIELDS
    assert latency["error"] is None
    figures = {figure["name"]: figure for figure in latency["figures"]}
    bare = figures["bare request to the target p50"]["value"]
    effect = figures["webhook to first effect p50"]["value"]
    assert 0 < bare < effect < figures["webhook to succeeded p99"]["value"]
    assert figures["webhook to first effect p50"]["unit"] == "ms"


def test_an_unknown_bench_is_named_with_those_there_are() -> None:
    answer = run_command("bench", "speed")
    assert answer.returncode == 2
    assert "no bench speed" in answer.stderr
    assert "latency" in answer.stderr


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([3.0], 0.01) == 3


@pytest.mark.parametrize(
    ("figure", "is_met"),
    [
        pytest.param(Figure(name="f", value=15, unit="ms", at_most=15), True, id="at the bound"),
        pytest.param(Figure(name="f", value=15.1, unit="ms", at_most=15), False, id="above it"),
        pytest.param(Figure(name="f", value=999, unit="/s", at_least=1000), False, id="below it"),
        pytest.param(
            Figure(name="f", value=660, unit="/s", bare=1000, at_least=0.65, is_goal_of_ratio=True), True, id="ratio"
        ),
        pytest.param(Figure(name="f", value=1, unit="s"), None, id="no goal"),
    ],
)
def test_a_goal_is_met_or_missed(figure: Figure, is_met: bool | None) -> None:
    assert figure.is_met is is_met


def test_cpu_time_counts_a_child_that_has_ended() -> None:
    me = os.getpid()
    before, busy = cpu_seconds([me]), machine_busy_seconds()
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    child = subprocess.Popen([sys.executable, "-c", burn])
    assert descendants(me)[0] == me
    assert child.pid in descendants(me)
    assert child.pid not in descendants(me, stop_at=[child.pid])
    assert me not in descendants(child.pid)
    assert child.wait() == 0
    assert 0.25 < cpu_seconds([me]) - before < 3
    assert machine_busy_seconds() - busy > 0.25
