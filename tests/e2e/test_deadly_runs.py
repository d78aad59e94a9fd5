"""Runs that kill their worker in the very moment in which it begins or resumes them; others are with it each time."""

import os
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.e2e.database import Database
from tests.e2e.step_packages import install_package
from tests.e2e.steps import Step, define, delay, http, of_type, transform
from tests.e2e.target import Target
from tests.product import ROOT, Product, wait_for

BESIDE, SLOW = 12, 3
# What a faulty library, or a lack of memory, does to a process: it is gone while a step is decided, and nothing of that
# is committed.
PACKAGE = """
import os
import signal
from typing import Any, ClassVar

from msgspec import Struct

from engine.core import settling
from engine.steps.base import ActionStep

decide = settling.decide_control_step


def decide_or_die(path: str, node: Any, scope: Any, at: Any) -> Any:
    if node.id == "deadly":
        with open(os.environ["DEADLY_NOTES"], "a") as notes:
            notes.write(f"{scope['run']['id']}\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return decide(path, node, scope, at)


settling.decide_control_step = decide_or_die


class Config(Struct, frozen=True, kw_only=True):
    pass


class Deadly(ActionStep):
    name: ClassVar = "deadly"
    title: ClassVar = "Deadly"
    icon: ClassVar = "x"
    Config: ClassVar = Config

    async def run(self, config: Config, context: Any) -> Any:
        return None
"""
BEGINNINGS: dict[str, tuple[Step, ...]] = {
    "at its first step": (),
    "after a delay": (delay("before", 0.3),),
    "after a signal": (of_type("wait", "before", {"signal": "go"}),),
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the dying leave behind: a line with the run that each of them had before it."""
    return tmp_path_factory.mktemp("notes") / "deaths"


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory, allowed_targets: dict[str, str], notes: Path
) -> Iterator[Product]:
    """A product of one worker, which runs with a step `deadly` kill."""
    folder = tmp_path_factory.mktemp("deadly")
    project = folder / "deadly"
    (project / "deadly").mkdir(parents=True)
    (project / "deadly" / "__init__.py").write_text(PACKAGE)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "deadly"\nversion = "0.1"\n\n[project.entry-points."flowforge.steps"]\n'
        'deadly = "deadly:Deadly"\n'
    )
    install_package(project, folder / "installed", folder)
    settings = {
        **allowed_targets,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'installed'}",
        "DEADLY_NOTES": str(notes),
    }
    running = Product(folder / "data", settings=settings)
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def client(product: Product) -> Iterator[Client]:
    with closing(Client(product.url)) as opened:
        yield opened.sign_in()


def count_deaths(notes: Path) -> Counter[str]:
    return Counter(notes.read_text().split()) if notes.exists() else Counter()


@pytest.mark.parametrize("before", BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_run_that_kills_its_worker_three_times_before_anything_of_it_is_committed_ends_failed_and_nobody_else_does(
    client: Client, database: Database, target: Target, notes: Path, before: tuple[Step, ...]
) -> None:
    deadly = client.publish(define(*before, transform("deadly", after=[step["id"] for step in before], n=1)))
    quick = client.publish(define(transform("a", n=1), http("b", target.base + "/quick", after=["a"])))
    slow = client.publish(define(http("held", target.base + "/held")))
    target.hold("/held")
    others = [client.start(slow.id) for _ in range(SLOW)]
    target.wait("/held", SLOW)
    run_id = client.start(deadly.id)
    others += [client.start(quick.id) for _ in range(BESIDE)]
    if before and before[0]["type"] == "wait":
        statement = "SELECT id FROM run WHERE id = $1 AND status = 'waiting' AND owner IS NULL"
        wait_for(lambda: database.fetch(statement, uuid.UUID(run_id)), what="suspended run")
        client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"}).raise_for_status()
    run = client.wait_for_status(run_id, "failed")
    assert (run["error"]["code"], run["reason"]) == ("worker_crashed", "worker_crashed")
    assert count_deaths(notes)[run_id] == 3
    # Those whose calls the deaths have broken off make them once more, and go on.
    target.wait("/held", 2 * SLOW)
    target.release_all()
    for other in others:
        client.wait_for_status(other, "succeeded")
    assert len({request.key for request in target.received("/held")}) == SLOW
