"""A definition with faults by the hundred thousand: looked at one by one they would fill the memory of the process."""

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from engine.core.problems import MOST_TOLD, Problem
from engine.steps.configuration import MAX_PROBLEMS
from engine.steps.validation import MOST_FIELDS, validate_definition
from tests.product import in_time

MANY = 50_000
# Several times what it takes of the processor; one by one, it was minutes.
SECONDS = 3.0
# Of Python's own memory; the validator's, which is in another language, grows along with it.
MEGABYTES = 60


def define(step: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    request = {"id": "a", "type": "http", "with": {"method": "GET", "url": "https://shop.example/"}}
    return {"schema": 1, "steps": [{**request, **(step or {})}], **fields}


def query(value: Any) -> dict[str, Any]:
    return {"with": {"method": "GET", "url": "https://shop.example/", "query": value}}


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        pytest.param(lambda: define(query({"q": [{}] * MANY})), "/steps/0/with", id="values"),
        pytest.param(lambda: define(query({"q" * 100_000: [{}] * MANY})), "/steps/0/with", id="under a long name"),
        pytest.param(lambda: define(query({f"q{n}": {} for n in range(MANY)})), "/steps/0/with", id="names"),
        pytest.param(lambda: define({"after": [1] * MANY}), "/steps/0/after/0", id="entries"),
        pytest.param(lambda: define(steps=[1] * MANY), "/steps/0", id="steps"),
    ],
)
def test_the_first_of_a_great_many_faults_is_told_soon(document: Callable[[], dict[str, Any]], pointer: str) -> None:
    made = document()

    def measure() -> float:
        tracemalloc.start()
        started = time.thread_time()
        problems = validate_definition(made)
        taken = time.thread_time() - started
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [problem.pointer for problem in problems] == [pointer]
        assert len(problems[0].message) < 1000
        assert peak < MEGABYTES * 1_000_000
        return taken

    in_time(measure, SECONDS)


def test_of_many_steps_with_faults_the_first_ones_are_told() -> None:
    steps = [{**define(query({"q": [{}] * 20}))["steps"][0], "id": f"a{number}"} for number in range(100)]
    problems = validate_definition({"schema": 1, "steps": steps})
    assert len(problems) == MAX_PROBLEMS
    assert problems[0].pointer == "/steps/0/with/query/q/0"


def test_what_is_told_is_never_much_more_than_a_definition() -> None:
    problems = validate_definition(define(output={"n" * 200_000: ["{{ nothing }}"] * 100}))
    assert 1 < len(problems) < 100
    assert sum(len(problem.pointer) for problem in problems) < MOST_TOLD


def test_a_great_many_values_without_a_fault_are_fine() -> None:
    request = query({f"q{number}": [number, "{{ input.q }}"] for number in range(5000)})
    assert validate_definition(define(request)) == []
    # Whether these fit, only their values tell.
    assert validate_definition(define(request, settings={"timeout": "{{ input.seconds }}"})) == []
    steps = [{**define()["steps"][0], "id": f"a{number}"} for number in range(MOST_FIELDS // 4)]
    assert validate_definition(define(steps=steps[:1990], settings={"timeout": "{{ input.seconds }}"})) == []


def test_a_template_among_a_great_many_values_has_to_fit_as_it_stands() -> None:
    request = query({f"q{number}": number for number in range(5000)})
    request["with"]["redirects"] = "{{ input.n }}"
    (problem,) = validate_definition(define(request))
    assert (problem.pointer, problem.code) == ("/steps/0/with", "invalid_value")
    assert "$.redirects" in problem.message
    request["with"]["redirects"] = 2
    assert validate_definition(define(request)) == []
    small = query({f"q{number}": number for number in range(500)})
    small["with"]["redirects"] = "{{ input.n }}"
    assert validate_definition(define(small)) == []


def test_all_faults_of_usual_size_are_told_at_once() -> None:
    assert validate_definition(define({**query({"q": [{}, {}]}), "after": [1, 2]})) == [
        Problem("/steps/0/after/0", "invalid_type", "it is a number; it must be a text"),
        Problem("/steps/0/after/1", "invalid_type", "it is a number; it must be a text"),
        *(
            Problem(
                f"/steps/0/with/query/q/{number}",
                "invalid_type",
                "it is an object; it must be a text, a number, true or false or null",
            )
            for number in range(2)
        ),
    ]
