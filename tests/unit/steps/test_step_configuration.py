"""A step's `with`: every fault at once, in plain words, and templates wherever they may stand."""

from typing import Any, cast
from uuid import UUID

import msgspec
import pytest

from engine.core.definition import CONTROL_PORTS
from engine.infra.http_client import HttpClient
from engine.steps.base import ActionStep, StepContext, StepFailure
from engine.steps.configuration import parse_config, problems_in
from engine.steps.http_request import HttpConfig
from engine.steps.registry import (
    action_steps,
    config_schema,
    describe_traits,
    get_action,
    get_step_type,
    step_types,
)

HTTP = {"method": "GET", "url": "https://shop.example/"}


def find(name: str, config: Any) -> list[tuple[str, str]]:
    step_type = get_step_type(name)
    assert step_type is not None
    problems = problems_in(step_type, config, "/steps/0/with")
    assert all(problem.message for problem in problems)
    assert all(problem.pointer.startswith("/steps/0/with") for problem in problems)
    return [(problem.pointer.removeprefix("/steps/0/with"), problem.code) for problem in problems]


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("http", HTTP),
        ("http", {**HTTP, "method": "{{ vars.method }}", "url": "{{ trigger.body.url }}"}),
        ("http", {**HTTP, "url": "https://{{ vars.host }}/orders/{{ trigger.body.id }}"}),
        ("http", {**HTTP, "query": {"a": 1, "b": [True, None, "x"], "c": "{{ input.c }}"}}),
        ("http", {**HTTP, "query": "{{ trigger.query }}", "headers": "{{ trigger.headers }}"}),
        ("http", {**HTTP, "headers": {"Accept": "text/plain", "X-Count": 5, "X-Id": "{{ input.id }}", "X-No": None}}),
        ("http", {**HTTP, "json": None}),
        ("http", {**HTTP, "json": {"a": ["{{ input }}", {"b": 1}]}}),
        ("http", {**HTTP, "form": {"a": 1, "b": ["x", "{{ input.y }}"]}}),
        ("http", {**HTTP, "body": "text"}),
        ("http", {**HTTP, "body": {"base64": "AAE="}}),
        ("http", {**HTTP, "body": {"base64": "{{ steps.a.output.body.base64 }}"}}),
        ("http", {**HTTP, "expect_status": 404}),
        ("http", {**HTTP, "expect_status": ["2xx", 404, "{{ input.status }}"]}),
        ("http", {**HTTP, "expect_status": "{{ input.status }}"}),
        *(("http", {**HTTP, "redirects": value}) for value in (True, False, 0, 3, "{{ input.redirects }}")),
        ("if", {"condition": "input.total > 100"}),
        ("delay", {"seconds": 0}),
        ("delay", {"seconds": "{{ input.seconds }}"}),
        ("delay", {"until": "2027-01-31T09:00:00+01:00"}),
        ("delay", {"until": "{{ input.due_at }}"}),
    ],
)
def test_configuration_that_is_fine(name: str, config: dict[str, Any]) -> None:
    assert find(name, config) == []


@pytest.mark.parametrize(
    ("name", "config", "problems"),
    [
        ("http", [], [("", "invalid_type")]),
        ("http", {}, [("", "required"), ("", "required")]),
        ("http", {**HTTP, "method": "get"}, [("/method", "invalid_choice")]),
        ("http", {**HTTP, "method": "TRACE"}, [("/method", "invalid_choice")]),
        ("http", {**HTTP, "url": ""}, [("/url", "too_short")]),
        ("http", {**HTTP, "url": "x" * 9000}, [("/url", "too_long"), ("/url", "invalid_url")][:1]),
        ("http", {**HTTP, "url": "ftp://shop.example/"}, [("/url", "invalid_url")]),
        ("http", {**HTTP, "url": "https://a:b@shop.example/"}, [("/url", "invalid_url")]),
        ("http", {**HTTP, "url": 5}, [("/url", "invalid_type")]),
        ("http", {**HTTP, "credentials": "shop"}, [("/credentials", "unknown_field")]),
        ("http", {**HTTP, "connection": ""}, [("/connection", "too_short")]),
        ("http", {**HTTP, "connection": {"token": "t"}}, [("/connection", "invalid_type")]),
        ("http", {**HTTP, "a/b~c": 1}, [("/a~1b~0c", "unknown_field")]),
        ("http", {**HTTP, "query": {"a": {}}}, [("/query/a", "invalid_type")]),
        ("http", {**HTTP, "query": {"a": [[]]}}, [("/query/a/0", "invalid_type")]),
        ("http", {**HTTP, "headers": {"X": []}}, [("/headers/X", "invalid_type")]),
        ("http", {**HTTP, "headers": {"X Y": "{{ input }}"}}, [("/headers/X Y", "invalid_header")]),
        ("http", {**HTTP, "headers": {"X": "a\r\nb"}}, [("/headers/X", "invalid_header")]),
        ("http", {**HTTP, "headers": {"Host": "other.example"}}, [("/headers/Host", "invalid_header")]),
        ("http", {**HTTP, "json": 1, "body": "x"}, [("/body", "several_bodies")]),
        ("http", {**HTTP, "json": None, "form": {}}, [("/form", "several_bodies")]),
        ("http", {**HTTP, "body": {"base64": 1}}, [("/body/base64", "invalid_type")]),
        ("http", {**HTTP, "expect_status": 99}, [("/expect_status", "out_of_range")]),
        ("http", {**HTTP, "expect_status": ["2xx", 600]}, [("/expect_status/1", "out_of_range")]),
        ("http", {**HTTP, "expect_status": "200"}, [("/expect_status", "invalid_format")]),
        ("http", {**HTTP, "expect_status": 2.5}, [("/expect_status", "invalid_type")]),
        ("http", {**HTTP, "redirects": 4}, [("/redirects", "out_of_range")]),
        ("http", {**HTTP, "redirects": "{{ input.n }} times"}, [("/redirects", "invalid_type")]),
        ("if", {"condition": True}, [("/condition", "invalid_type")]),
        ("if", {"condition": ""}, [("/condition", "too_short")]),
        ("delay", {}, [("", "exactly_one")]),
        ("delay", {"seconds": 1, "until": "{{ x }}"}, [("", "exactly_one")]),
        ("delay", {"seconds": -1}, [("/seconds", "out_of_range")]),
        ("delay", {"seconds": "5"}, [("/seconds", "invalid_type")]),
        ("delay", {"until": "tomorrow"}, [("/until", "invalid_time")]),
        ("delay", {"until": "2027-01-31T09:00:00"}, [("/until", "invalid_time")]),
    ],
)
def test_fault_is_named_where_it_stands(name: str, config: Any, problems: list[tuple[str, str]]) -> None:
    assert find(name, config) == problems


def test_every_fault_is_told_at_once() -> None:
    config = {
        "method": "X",
        "url": "nowhere",
        "headers": {"Host": "h"},
        "query": {"a": {}},
        "redirects": 9,
        "other": 1,
        "json": 1,
        "body": "x",
    }
    assert sorted(find("http", config)) == [
        ("/body", "several_bodies"),
        ("/headers/Host", "invalid_header"),
        ("/method", "invalid_choice"),
        ("/other", "unknown_field"),
        ("/query/a", "invalid_type"),
        ("/redirects", "out_of_range"),
        ("/url", "invalid_url"),
    ]


def test_messages_say_what_is_wanted() -> None:
    step_type = get_step_type("http")
    assert step_type is not None
    messages = {
        problem.pointer: problem.message
        for problem in problems_in(step_type, {"url": 5, "redirects": 9, "conection": "x"}, "")
    }
    assert messages[""] == "`method` is missing"
    assert messages["/url"] == "it is a number; it must be a text"
    assert messages["/redirects"] == "9 is more than 3"
    assert messages["/conection"].startswith("there is no field `conection`; the fields are method, url, query")


def test_rendered_configuration_is_read() -> None:
    config = parse_config(get_action("http"), {**HTTP, "json": None, "expect_status": [201, "4xx"], "redirects": False})
    assert isinstance(config, HttpConfig)
    assert config.json is None
    assert config.expect_status == [201, "4xx"]
    assert config.max_redirects == 0


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"url": 5}, "with.url"),
        ({"url": ""}, "with.url"),
        ({"query": {"a": {}}}, "with.query"),
        ({"expect_status": [1]}, "with.expect_status[0]"),
        ({"body": {"base64": "%"}}, "with.body.base64"),
        ({"other": 1}, "other"),
    ],
)
def test_rendered_configuration_that_does_not_fit_fails_for_good(change: dict[str, Any], place: str) -> None:
    with pytest.raises(StepFailure) as raised:
        parse_config(get_action("http"), {**HTTP, **change})
    assert (raised.value.code, raised.value.retryable, raised.value.cause) == ("invalid_config", False, None)
    assert place in raised.value.message


def test_schema_of_every_step_type_is_closed_and_described() -> None:
    for step_type in step_types():
        schema = config_schema(step_type.name)
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
        assert step_type.title
        assert step_type.icon
        assert all("title" in field for field in schema["properties"].values())


def test_core_and_registry_agree_on_the_control_steps() -> None:
    registered = {step.name: step.ports for step in step_types() if not isinstance(step, ActionStep)}
    assert registered == CONTROL_PORTS


def test_defaults_of_http_are_those_of_the_contract() -> None:
    traits = {step.name: describe_traits(step) for step in action_steps()}["http"]
    retry = (traits.max_attempts, traits.initial, traits.factor, traits.max, traits.jitter)
    assert (traits.timeout, *retry) == (30, 4, 1, 2, 60, True)


def test_unknown_step_type_fails_for_good() -> None:
    assert get_step_type("teleport") is None
    with pytest.raises(StepFailure, match="teleport") as raised:
        get_action("teleport")
    assert not raised.value.retryable


def test_context_tells_what_is_left_of_its_time() -> None:
    context = StepContext(
        run_id=UUID(int=1),
        step_id="a",
        attempt=1,
        idempotency_key="k",
        timeout=60,
        # Nothing is called.
        http=cast("HttpClient", None),
    )
    assert 0 < context.remaining_seconds <= 60
    over = msgspec.structs.replace(context, started=context.started - 61)
    assert over.remaining_seconds == 0
