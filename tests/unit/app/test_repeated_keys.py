"""Keys that stand twice in a JSON object are found, whatever is around them, and told of with their pointers."""

import json

import pytest

from app.repeated_keys import MAX_TOLD, find_repeated_keys
from engine.core.problems import MOST_TOLD


@pytest.mark.parametrize(
    ("text", "pointers"),
    [
        pytest.param('{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]}', [], id="one in each object"),
        pytest.param('{"a": 1, "a": 1}', ["/a"], id="at the top"),
        pytest.param('{"a": 1, "b": 0, "a": 2, "a": 3, "b": 0}', ["/a", "/b"], id="several, one thrice"),
        pytest.param('[0, [{"x": {"y": 1, "y": 1}}]]', ["/1/0/x/y"], id="in lists"),
        pytest.param('{"a": {"b": 1, "b": 2}, "c": 1, "c": {"d": 1, "d": 2}}', ["/c", "/a/b", "/c/d"], id="both"),
        pytest.param(r'{"a": 1, "\u0061": 2}', ["/a"], id="written in two ways"),
        pytest.param('{"/~": {"": 1, "": 2}}', ["/~1~0/"], id="signs of a pointer"),
        pytest.param('{"a": "{\\"b\\": 1, \\"b\\": 2}"}', [], id="in a text"),
        pytest.param('{"A": 1, "a": 2, "Ä": 1, "A\\u0308": 2}', [], id="different characters"),
        pytest.param("7", [], id="no object"),
        pytest.param('{"a": ' + "9" * 5000 + ', "a": 1e999}', ["/a"], id="numbers longer than any"),
    ],
)
def test_keys_that_stand_twice_are_told_of_with_their_pointers(text: str, pointers: list[str]) -> None:
    problems = find_repeated_keys(text.encode())
    assert [problem.pointer for problem in problems] == pointers
    assert {problem.code for problem in problems} <= {"duplicate_key"}
    assert all("twice" in problem.message for problem in problems)


def test_a_text_full_of_them_is_told_of_in_part() -> None:
    assert len(find_repeated_keys(b"[" + b",".join([b'{"a":1,"a":1}'] * 5000) + b"]")) == MAX_TOLD
    many = "{" + ",".join(f"{json.dumps(f'k{number}')}:1" for number in [*range(5000), *range(5000)]) + "}"
    assert len(find_repeated_keys(many.encode())) == MAX_TOLD


def test_what_is_told_is_bounded_however_long_the_names_around_it_are() -> None:
    inner = ",".join(['{"a":1,"a":1}'] * MAX_TOLD)
    problems = find_repeated_keys(f'{{"{"n" * 200_000}":[{inner}]}}'.encode())
    assert 0 < len(problems) < MAX_TOLD
    assert sum(len(problem.pointer) for problem in problems) < MOST_TOLD
