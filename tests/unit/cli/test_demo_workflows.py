"""The demo's files are what they claim: workflows that can be published, of every step type worth showing."""

from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml

from cli.demo.loading import NAMES, fit_workflow, read_workflow
from cli.demo.target import HOST, PORT
from engine.steps.validation import validate_definition
from tests.architecture.sources import ROOT

WORKFLOW_ID: Final = "0199aaaa-0000-7000-8000-000000000000"


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(fit_workflow(name, 9999, WORKFLOW_ID))
    return document


def walk(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        yield step
        yield from walk(step.get("steps", []))


def test_every_file_is_loaded() -> None:
    files = {path.stem for path in (ROOT / "cli" / "demo" / "workflows").glob("*.yaml")}
    assert files == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_workflow_of_the_demo_can_be_published(name: str) -> None:
    assert validate_definition(read(name)["definition"]) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_workflow_of_the_demo_says_what_it_is(name: str) -> None:
    document = read(name)
    assert document["name"].startswith("Demo: ")
    assert document["description"].strip()
    named = [step for step in document["definition"]["steps"] if step.get("name")]
    assert named == document["definition"]["steps"]


@pytest.mark.parametrize("name", NAMES)
def test_workflows_of_the_demo_call_the_target_alone(name: str) -> None:
    assert str(PORT) not in fit_workflow(name, 9999, WORKFLOW_ID)
    urls = [step["with"]["url"] for step in walk(read(name)["definition"]["steps"]) if step["type"] == "http"]
    assert urls
    assert all(url.startswith(f"http://{HOST}:9999/") for url in urls)


def test_a_workflow_comes_after_those_that_it_runs() -> None:
    users = [name for name in NAMES if "workflow_id" in read_workflow(name)]
    assert users == ["customer-onboarding"]
    (greet,) = [step for step in walk(read("customer-onboarding")["definition"]["steps"]) if step["type"] == "workflow"]
    assert greet["with"]["workflow_id"] == WORKFLOW_ID
    assert NAMES.index("welcome-message") < NAMES.index("customer-onboarding")


def test_the_demo_shows_branches_loops_people_signals_and_other_workflows() -> None:
    types = {step["type"] for name in NAMES for step in walk(read(name)["definition"]["steps"])}
    assert types >= {"http", "if", "transform", "foreach", "approval", "wait", "workflow"}
