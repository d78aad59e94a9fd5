"""A long name around many values: written out for each of them, the places in a document would fill the memory."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.repeated_keys import find_repeated_keys
from app.transfer import yaml_reader
from app.transfer.yaml_reader import MAX_DOCUMENTS, YamlFault, read_documents
from engine.core.expressions import ExpressionError, compile_template
from engine.core.problems import Problem
from engine.steps.validation import validate_definition
from tests.product import in_time

NAME = "n" * 200_000
MANY = 50_000
# Several times what each of them takes of the processor: places that are written out take as long again and again.
SECONDS = 1.0


def define(values: Any) -> dict[str, Any]:
    return {"schema": 1, "steps": [{"id": "a", "type": "transform", "with": {"values": values}}]}


def validate() -> bool:
    return validate_definition(define({NAME: [0] * MANY})) == []


def compile_values() -> bool:
    return compile_template({NAME: [0] * MANY}).is_constant


def find_twins() -> bool:
    return [problem.pointer for problem in find_repeated_keys(TWINS)] == ["/a"]


def read_yaml() -> bool:
    return bool(read_documents(YAML)[0].value == {NAME: [0] * MANY})


TWINS = json.dumps({"a": 1, "b": 1, NAME: [[]] * MANY}).replace('"b"', '"a"').encode()
YAML = f'? "{NAME}"\n: [{"0, " * MANY}]\n'.encode()


@pytest.mark.parametrize("read", [validate, compile_values, find_twins, read_yaml])
def test_reading_takes_as_long_as_what_is_read(read: Callable[[], bool]) -> None:
    def measure() -> float:
        started = time.thread_time()
        assert read()
        return time.thread_time() - started

    in_time(measure, SECONDS)


def test_what_is_wrong_has_its_pointer_all_the_same() -> None:
    values = {"a/b": [0, {"~": "{{ nothing }}"}]}
    assert validate_definition(define(values)) == [
        Problem(
            "/steps/0/with/values/a~1b/1/~0",
            "unknown_name",
            "there is no name 'nothing'; the names are input, run, steps, trigger, vars, workflow",
        )
    ]
    for source in ("{{ nothing }}", "{{ nothing }} and more", "{{ 1 + }}", "{{ 'open }}"):
        with pytest.raises(ExpressionError) as caught:
            compile_template({"a/b": [0, {"~": source}]}).render({})
        assert caught.value.pointer == "/a~1b/1/~0", source


def test_places_in_yaml_are_kept_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"first: [1, 2]\nsecond: {third: 3}\n"
    (document,) = read_documents(text)
    assert document.places["/second/third"] == (2, 10)
    monkeypatch.setattr(yaml_reader, "MAX_POINTER_CHARACTERS", len("/first/first/0"))
    (document,) = read_documents(text)
    assert document.value == {"first": [1, 2], "second": {"third": 3}}
    assert document.places == {"": (1, 1), "/first": (1, 1), "/first/0": (1, 9)}


def test_all_documents_of_a_stream_share_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "MAX_POINTER_CHARACTERS", 3 * len("/first"))
    documents = read_documents(b"---\nfirst: 1\n" * 5)
    assert [document.value for document in documents] == [{"first": 1}] * 5
    assert [document.places.get("/first") for document in documents] == [(2, 1), (4, 1), (6, 1), None, None]


def test_documents_beyond_those_that_are_taken_are_not_read() -> None:
    text = b"---\na: 1\n" * MAX_DOCUMENTS
    # Empty ones are none.
    assert len(read_documents(text + b"---\n---\n")) == MAX_DOCUMENTS
    with pytest.raises(YamlFault, match="at most 100 workflows") as caught:
        read_documents(text + b"---\na: 1\n---\na: [b: *no\n")
    assert (caught.value.line, caught.value.column) == (2 * MAX_DOCUMENTS + 2, 1)
