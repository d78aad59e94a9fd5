"""`./flowforge loadtest --url`: what a product does wrong makes it fail, and is named."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.loadtests.stand_in import Delivery, Document, StandIn
from tests.product import run_command


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn().running() as running:
        yield running


def load(stand_in: StandIn, folder: Path) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output and summary of ten events."""
    arguments = ("--url", stand_in.url, "--token", "t", "--rate", "10", "--seconds", "1", "--output", str(folder))
    answer = run_command("loadtest", "events", "--busy", *arguments)
    output = answer.stdout + answer.stderr
    assert (folder / "summary.json").exists(), output
    return answer.returncode, output, json.loads((folder / "summary.json").read_text())


def lose_one(stand_in: StandIn) -> None:
    stand_in.list_runs = lambda: list(stand_in.runs.values())[1:]


def fail_one(stand_in: StandIn) -> None:
    def list_runs() -> list[Document]:
        first, *others = stand_in.runs.values()
        return [{**first, "status": "failed"}, *others]

    stand_in.list_runs = list_runs


def double_one(stand_in: StandIn) -> None:
    def list_runs() -> list[Document]:
        first = stand_in.runs[0]
        return [{**first, "id": "0" + first["id"][1:][::-1]}, *stand_in.runs.values()]

    stand_in.list_runs = list_runs


def refuse_one(stand_in: StandIn) -> None:
    def take(delivery: Delivery) -> tuple[int, bytes]:
        return (503, b"{}") if delivery.number == 3 else stand_in.accept(delivery)

    stand_in.take = take


def forget_one(stand_in: StandIn) -> None:
    stand_in.list_receipts = lambda: stand_in.make_receipts()[1:]


def drift(stand_in: StandIn) -> None:
    stand_in.drift = 1


@pytest.mark.parametrize(
    ("spoil", "figure"),
    [
        (lose_one, "accepted and not found"),
        (fail_one, "ended otherwise than they should"),
        (double_one, "runs nobody sent"),
        (refuse_one, "errors"),
        (forget_one, "receipts that disagree"),
        (drift, "drift of the product's own accounts"),
    ],
)
def test_what_goes_wrong_makes_it_fail_and_is_named(
    stand_in: StandIn, tmp_path: Path, spoil: Callable[[StandIn], None], figure: str
) -> None:
    spoil(stand_in)
    code, output, summary = load(stand_in, tmp_path)
    assert code == 1, output
    verdicts = {one["name"]: one["verdict"] for one in summary["figures"] if one["verdict"]}
    # How fast it was says nothing here.
    of_time = {"rate reached", *(name for name in verdicts if name.endswith("p99"))}
    wrong = [name for name, verdict in verdicts.items() if verdict == "MISSED" and name not in of_time]
    assert wrong == [figure]
    assert "MISSED: " in output
    assert figure in output.rpartition("MISSED: ")[2]
    assert verdicts["CPU of the product"] == "not measured"
    # What it made is gone again.
    assert stand_in.deleted == stand_in.workflow_ids
    assert len(stand_in.workflow_ids) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--url", "http://192.0.2.1:8000", "--token", "t"), "127.0.0.1 alone"),
        (("--url", "https://127.0.0.1:8000", "--token", "t"), "plain HTTP"),
        (("--url", "http://127.0.0.1:8000/flows", "--token", "t"), "without a path"),
        (("--rate", "100000"), "at most 1000 events a second"),
        (("--seconds", "100000"), "at most 3000 seconds"),
        (("mixed", "--seconds", "700"), "at most 600 seconds"),
        (("--rate", "1000", "--seconds", "1000"), "at most 300,000 events"),
        (("--rate", "nan"), "no number that can be counted to"),
        (("--seconds", "inf"), "no number that can be counted to"),
        (("--rate", "0"), "not in the range"),
        (("--token", "t"), "the product that --url names"),
        (("--output", "/dev/null/reports"), "/dev/null/reports: Not a directory"),
        (("--url", "http://127.0.0.1:1", "--token", "t"), "127.0.0.1:1"),
        (("hurricane",), "There are: events, burst, mixed, soak, minute"),
    ],
)
def test_a_load_test_is_bounded_and_stays_on_this_machine(arguments: tuple[str, ...], reason: str) -> None:
    answer = run_command("loadtest", *arguments)
    assert answer.returncode == 2
    assert reason in answer.stderr
    assert "Traceback" not in answer.stderr
