"""Faults of a definition: all at once, each with its place, its code and a sentence."""

from typing import Any

import pytest

from engine.steps.validation import validate_definition

FETCH = {"id": "fetch", "type": "http", "with": {"method": "GET", "url": "https://shop.example/{{ trigger.body.id }}"}}


def define(*steps: Any, **rest: Any) -> dict[str, Any]:
    return {"schema": 1, "steps": list(steps), **rest}


def step(step_id: str, *after: str, **rest: Any) -> dict[str, Any]:
    return {**FETCH, "id": step_id, "after": list(after), **rest}


def decide(condition: str, *after: str, step_id: str = "large") -> dict[str, Any]:
    return {"id": step_id, "type": "if", "with": {"condition": condition}, "after": list(after)}


def test_the_example_of_the_guide_has_no_fault() -> None:
    document = define(
        FETCH,
        decide("steps.fetch.output.body.total > 100", "fetch"),
        step("notify", "large.true", retry={"max_attempts": 5, "on": ["5xx", 418]}, timeout=5),
        {"id": "pause", "type": "delay", "with": {"seconds": "{{ vars.pause }}"}, "after": ["large.false"]},
        step("rescue", "fetch.error"),
        output={"total": "{{ steps.fetch.output.body.total }}"},
        settings={"timeout": 60},
        ui={"positions": {"fetch": [0, 0]}, "anything": None},
    )
    assert validate_definition(document) == []


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        pytest.param([], "", "invalid_type", id="no object"),
        pytest.param({"schema": 1}, "", "required", id="no steps"),
        pytest.param({**define(FETCH), "schema": 2}, "/schema", "invalid_choice", id="other schema"),
        pytest.param({**define(FETCH), "stepz": []}, "/stepz", "unknown_field", id="unknown field"),
        pytest.param(define(step("Fetch")), "/steps/0/id", "invalid_format", id="capital"),
        pytest.param(define(step("a" * 64)), "/steps/0/id", "invalid_format", id="long id"),
        pytest.param(define(step("{{ a }}")), "/steps/0/id", "invalid_value", id="template as id"),
        pytest.param(
            define(step("a", timeout="{{ 1 }}")), "/steps/0/timeout", "invalid_value", id="template as timeout"
        ),
        pytest.param(
            define(step("a", retry={"max_attempts": "{{ 2 }}"})),
            "/steps/0/retry/max_attempts",
            "invalid_value",
            id="template in retry",
        ),
        pytest.param(
            define(step("a"), settings={"timeout": "10"}),
            "/settings/timeout",
            "invalid_type",
            id="text as run's timeout",
        ),
        pytest.param(
            define(step("a"), settings={"timeout": "1{{ 2 }}"}),
            "/settings/timeout",
            "invalid_type",
            id="text beside it",
        ),
        pytest.param(define(step("a"), step("a")), "/steps/1/id", "duplicate_step", id="same id"),
        pytest.param(define({**FETCH, "type": "htp"}), "/steps/0/type", "unknown_step_type", id="unknown type"),
        pytest.param(define(7), "/steps/0", "invalid_type", id="no step"),
        pytest.param(define(step("a", "b")), "/steps/0/after/0", "unknown_step", id="unknown step"),
        pytest.param(define(step("a"), step("b", "a.true")), "/steps/1/after/0", "unknown_port", id="port of http"),
        pytest.param(
            define(decide("true"), step("b", "large.yes")), "/steps/1/after/0", "unknown_port", id="port of if"
        ),
        pytest.param(define(step("a", "a")), "/steps/0/after", "cycle", id="waits for itself"),
        pytest.param(define(step("a", "b"), step("b", "a")), "/steps/0/after", "cycle", id="wait for each other"),
        pytest.param(define(decide("1 +")), "/steps/0/with/condition", "expression_syntax", id="syntax"),
        pytest.param(define(decide("nobody.x")), "/steps/0/with/condition", "unknown_name", id="unknown name"),
        pytest.param(define(decide("steps.b.output")), "/steps/0/with/condition", "unknown_step", id="unknown source"),
        pytest.param(define(decide("steps['b'].output")), "/steps/0/with/condition", "unknown_step", id="by index"),
        pytest.param(define(decide("size(steps) > 1")), "/steps/0/with/condition", "unknown_name", id="all steps"),
        pytest.param(define(decide("run.nr == 1")), "/steps/0/with/condition", "unknown_name", id="field of run"),
        pytest.param(
            define(FETCH, decide("steps.fetch.body == 1", "fetch")),
            "/steps/1/with/condition",
            "unknown_name",
            id="field",
        ),
        pytest.param(
            define(FETCH, decide("steps.fetch.output == 1")), "/steps/1/with/condition", "not_upstream", id="beside"
        ),
        pytest.param(
            define(FETCH, settings={"timeout": "{{ steps.fetch.output }}"}),
            "/settings/timeout",
            "not_upstream",
            id="early",
        ),
        pytest.param(define(FETCH, output="{{ steps.b.output }}"), "/output", "unknown_step", id="output"),
        pytest.param(define(FETCH, settings={"timeout": 0}), "/settings/timeout", "out_of_range", id="no time"),
        pytest.param(
            define(step("a", retry={"max_attempts": 0})), "/steps/0/retry/max_attempts", "out_of_range", id="no attempt"
        ),
        pytest.param(define(step("a", timeout=-1)), "/steps/0/timeout", "out_of_range", id="negative timeout"),
        pytest.param(
            define({**decide("true"), "retry": {"max_attempts": 2}}),
            "/steps/0/retry",
            "not_applicable",
            id="retry of if",
        ),
        pytest.param(
            define({"id": "d", "type": "delay", "with": {"seconds": 1, "until": "2027-01-01T00:00:00Z"}}),
            "/steps/0/with",
            "exactly_one",
            id="two delays",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(document: Any, pointer: str, code: str) -> None:
    problems = validate_definition(document)
    assert (pointer, code) in [(problem.pointer, problem.code) for problem in problems]
    assert all(problem.message for problem in problems)


@pytest.mark.parametrize(
    ("cause", "code", "words"),
    [
        pytest.param(
            "503", "invalid_choice", "a whole number may stand here as well, like 503 without quotes", id="text"
        ),
        pytest.param("sometimes", "invalid_choice", "timeout; a whole number may stand here as well", id="other text"),
        pytest.param(700, "out_of_range", "700 is more than 599", id="number"),
        pytest.param(
            True, "invalid_type", 'it is true; it must be "429", "5xx", "connection", "timeout" or a', id="bool"
        ),
        pytest.param(1.5, "invalid_type", "or a whole number", id="fraction"),
    ],
)
def test_what_cannot_be_retried_on_is_told_with_all_that_can(cause: Any, code: str, words: str) -> None:
    (problem,) = validate_definition(define(step("a", retry={"on": [503, cause]})))
    assert (problem.pointer, problem.code) == ("/steps/0/retry/on/1", code)
    assert words in problem.message


def test_a_number_in_quotes_is_told_as_such() -> None:
    (problem,) = validate_definition({**define(FETCH), "schema": "1"})
    assert (problem.pointer, problem.message) == ("/schema", "it is a text; it must be 1 without quotes")


@pytest.mark.parametrize(("value", "kind"), [(1, "a number"), (None, "null"), (True, "true"), (["a"], "a list")])
def test_a_header_of_an_answer_that_is_no_text_is_told_with_its_place(value: Any, kind: str) -> None:
    answer = {"id": "a", "type": "respond", "with": {"headers": {"X-A/B": value, "X-C": "{{ input.n }}"}}}
    (problem,) = validate_definition(define(answer))
    assert (problem.pointer, problem.code) == ("/steps/0/with/headers/X-A~1B", "invalid_type")
    assert problem.message == f"it is {kind}; it must be a text"


def test_every_text_of_a_template_is_told_of_with_its_own_place() -> None:
    body = {"a": "{{ 1 + }}", "b/c": ["{{ steps.b.output }}", "fine", {"d": "{{ nobody }}"}]}
    call = step("a")
    call["with"] = {"method": "POST", "url": "https://a.example/", "json": body}
    found = [(problem.pointer, problem.code) for problem in validate_definition(define(call, output=["{{ x }}"]))]
    assert found == [
        ("/output/0", "unknown_name"),
        ("/steps/0/with/json/a", "expression_syntax"),
        ("/steps/0/with/json/b~1c/0", "unknown_step"),
        ("/steps/0/with/json/b~1c/2/d", "unknown_name"),
    ]


def test_a_template_that_is_nested_too_deeply_is_a_fault() -> None:
    value: Any = "{{ input }}"
    for _ in range(65):
        value = [value]
    (problem,) = validate_definition(define(step("a"), output=value))
    assert (problem.pointer, problem.code) == ("/output" + "/0" * 64, "too_long")


def test_all_faults_are_told_at_once_in_document_order() -> None:
    document = define(
        step("a", "nobody", retry={"max_attempts": 0}), decide("1 +", "a.yes"), output="{{ nope }}", extra=True
    )
    problems = validate_definition(document)
    assert {problem.code for problem in problems} >= {
        "unknown_step",
        "out_of_range",
        "expression_syntax",
        "unknown_port",
        "unknown_name",
        "unknown_field",
    }
    places = [problem.pointer for problem in problems if problem.pointer.startswith("/steps/")]
    assert places == sorted(places)


def test_more_steps_than_allowed_are_one_fault() -> None:
    problems = validate_definition(define(*(step(f"s{index}") for index in range(2001))))
    assert [problem.code for problem in problems] == ["too_many_steps"]


def test_two_thousand_steps_in_a_row_are_no_fault() -> None:
    steps = [decide("true", step_id="s0")]
    steps += [decide(f"steps.s{i - 1}.output", f"s{i - 1}", step_id=f"s{i}") for i in range(1, 2000)]
    assert validate_definition(define(*steps)) == []


RICH = (
    "Order {{ trigger.body.id }} of {{ trigger.body.customer.name }}: {{ input.total > 100 ? 'large' : 'small' }} "
    "{{ size(input.items.filter(i, i.price > 10 && i.count > 2)) }}"
)


def rich_step(step_id: str) -> dict[str, Any]:
    """A step with as many expressions as a busy one has."""
    return {
        "id": step_id,
        "type": "http",
        "with": {
            "method": "POST",
            "url": "https://shop.example/orders/{{ trigger.body.id }}?at={{ trigger.received_at }}",
            "headers": {"X-Known": "{{ trigger.headers['x-known'].matches('^[A-Z]{2,3}-[0-9]{6}$') }}"},
            "json": {"text": RICH, "total": "{{ input.price * input.count + input.shipping }}"},
        },
    }


def test_the_most_steps_may_all_be_rich_in_expressions() -> None:
    assert validate_definition(define(*(rich_step(f"s{number}") for number in range(2000)))) == []


SUM = " + ".join(["1"] * 200)
PATTERN = "input.a.matches('[a-z]{{1,999}}{number}')"


@pytest.mark.parametrize(
    ("values", "pointer", "words"),
    [
        # 399 tokens each: the 502nd is beyond 200,000.
        ([f"{{{{ {SUM} }}}}"] * 600, "/steps/0/with/values/v/501", "200,000 names"),
        (["".join([f"{{{{ {SUM} }}}}"] * 600)], "/steps/0/with/values/v/0", "200,000 names"),
        (
            [f"{{{{ {PATTERN.format(number=number)} }}}}" for number in range(600)],
            "/steps/0/with/values/v/4",
            "1,000,000 instructions",
        ),
    ],
    ids=["texts", "one text", "patterns"],
)
def test_more_expressions_than_can_be_read_soon_are_refused_where_it_is_too_much(
    values: list[str], pointer: str, words: str
) -> None:
    shape = {"id": "a", "type": "transform", "with": {"values": {"v": [*values, "{{ 1 + }}"]}}}
    (problem,) = validate_definition(define(shape))
    assert (problem.code, problem.pointer[: len(pointer)]) == ("too_many_parts", pointer)
    assert words in problem.message
    assert "`workflow` steps" in problem.message


def test_expressions_of_all_places_count_together() -> None:
    half = [f"{{{{ {SUM} }}}}"] * 251
    loop = {
        "id": "each",
        "type": "foreach",
        "with": {"items": "[1]"},
        "steps": [{"id": "a", "type": "transform", "with": {"values": {"v": half}}}],
    }
    assert validate_definition(define(loop)) == []
    (problem,) = validate_definition(define(loop, output=half))
    assert (problem.code, problem.pointer.split("/")[1]) == ("too_many_parts", "output")


def test_faults_before_too_many_expressions_are_told_as_well() -> None:
    values = ["{{ 1 + }}", *([f"{{{{ {SUM} }}}}"] * 600), "{{ 2 + }}"]
    shape = {"id": "a", "type": "transform", "with": {"values": {"v": values}}, "surprise": 1}
    problems = validate_definition(define(shape, decide("nobody")))
    assert {problem.code for problem in problems} == {"unknown_field", "expression_syntax", "too_many_parts"}
    assert [problem.pointer for problem in problems if problem.code == "expression_syntax"] == [
        "/steps/0/with/values/v/0"
    ]
