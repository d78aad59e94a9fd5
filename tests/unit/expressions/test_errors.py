"""What is said about expressions that are wrong: the code, the position, and a message that helps."""

from typing import Any

import pytest

from engine.core.expressions import ExpressionError, compile_expression

SCOPE: dict[str, Any] = {
    "steps": {"fetch": {"status": "succeeded", "output": None}, "x": {}},
    "trigger": {"n": 1, "list": [1, 2], "text": "abc", "many": {f"f{i}": i for i in range(20)}, "huge": 10**30},
}

UNREADABLE = [
    ("empty", "", "expression_syntax", 0, "empty"),
    ("blank", "  ", "expression_syntax", 0, "empty"),
    ("in braces", " {{ 1 }}", "expression_syntax", 0, "without {{ and }}"),
    ("unfinished", "1 +", "expression_syntax", 3, "unexpected end"),
    ("trailing", "1 2", "expression_syntax", 2, "unexpected '2'"),
    ("assignment", "a = 1", "expression_syntax", 2, "write '=='"),
    ("ampersand", "a & b", "expression_syntax", 2, "write '&&'"),
    ("character", "a # b", "expression_syntax", 2, "unexpected '#'"),
    ("open text", "'abc", "expression_syntax", 0, "closing quote"),
    ("line break in text", "'a\nb'", "expression_syntax", 0, "closing quote"),
    ("escape", r"'a\q'", "expression_syntax", 2, "unknown escape"),
    ("surrogate", r"'\ud800'", "expression_syntax", 1, "no character"),
    ("beyond unicode", r"'\U00110000'", "expression_syntax", 1, "no character"),
    ("open list", "[1, 2", "expression_syntax", 5, "expected ']'"),
    ("open bracket", "(1", "expression_syntax", 2, "expected ')'"),
    ("half conditional", "a ? 1", "expression_syntax", 5, "expected ':'"),
    ("unsigned", "1u", "expression_syntax", 1, "unsigned"),
    ("bytes", "b'a'", "expression_syntax", 0, "bytes"),
    ("word after number", "12ab", "expression_syntax", 2, "after a number"),
    ("large int", "9223372036854775808", "expression_syntax", 0, "64 bits"),
    ("small int", "-9223372036854775809", "expression_syntax", 1, "64 bits"),
    ("large double", "1e999", "expression_syntax", 0, "too large"),
    ("keyword field", "a.in", "expression_syntax", 2, '["in"]'),
    ("reserved name", "while", "expression_syntax", 0, "reserved"),
    ("number field", "a.1", "expression_syntax", 1, "unexpected"),
    ("unknown function", "siez(a)", "unknown_name", 0, "did you mean 'size'?"),
    ("unknown method", "a.foo()", "unknown_name", 2, "no method 'foo'; methods are 'all', "),
    ("no such function", "now()", "unknown_name", 0, "no function 'now'; functions are 'has', 'size', 'int', "),
    ("function of elsewhere", "len(a)", "unknown_name", 0, "did you mean 'size'?"),
    ("method of elsewhere", "a.toUpperCase()", "unknown_name", 2, "did you mean 'upperAscii'?"),
    ("function as method", "a.int()", "unknown_name", 2, "it is a function: int(…)"),
    ("and", "a and b", "expression_syntax", 2, "unexpected 'and': write '&&'"),
    ("or", "(a or b)", "expression_syntax", 3, "unexpected 'or': write '||'"),
    (
        "method as function",
        "trim(a)",
        "unknown_name",
        0,
        "it is a method of a value: value.trim(…)",
    ),
    ("argument count", "a.contains()", "expression_syntax", 2, "does not take 0 arguments"),
    ("has of a name", "has(a)", "expression_syntax", 0, "one selected field"),
    ("has of an index", "has(a['b'])", "expression_syntax", 0, "one selected field"),
    ("macro variable", "a.map(1, 2)", "expression_syntax", 2, "its variable"),
    ("macro arguments", "a.all(x)", "expression_syntax", 2, "list.all(x, …)"),
    ("pattern", "a.matches('(')", "invalid_argument", 10, "not a pattern of RE2"),
    ("nesting", "(" * 33 + "1" + ")" * 33, "too_long", 32, "nested deeper than 32"),
    ("deep calls", "a" + ".trim()" * 40, "too_long", 51, "nested deeper than 32"),
    ("parts", "+".join(["1"] * 300), "too_long", 500, "more than 500 parts"),
    ("length", "1" + " " * 4096, "too_long", 0, "longer than 4096"),
]

FAILING = [
    ("unknown name", "stps.fetch", "unknown_name", 0, "no name 'stps'; names are 'steps', 'trigger'"),
    ("missing field", "steps.fech.status", "no_such_field", 6, "no field 'fech'; fields are 'fetch', 'x'"),
    ("many fields", "trigger.many.z", "no_such_field", 13, "'f9', …"),
    ("empty map", "steps.x.output", "no_such_field", 8, "the map is empty"),
    ("missing key", "steps['fech']", "no_such_field", 5, "fields are 'fetch', 'x'"),
    ("field of null", "steps.fetch.output.body", "type_error", 19, "no field 'body' in null"),
    ("field of list", "trigger.list.size", "type_error", 13, "no field 'size' in list"),
    ("item of int", "trigger.n[0]", "type_error", 9, "selected from int"),
    ("key type", "trigger[1]", "type_error", 7, "keys of a map are strings, not int"),
    ("index type", "trigger.list['a']", "type_error", 12, "no field 'a' in list"),
    ("computed index type", "trigger.list[trigger.text]", "type_error", 12, "index of a list is an int"),
    ("bool index", "trigger.list[true]", "type_error", 12, "not bool"),
    ("index", "trigger.list[2]", "index_out_of_range", 12, "no item 2 in a list of 2"),
    ("negative index", "trigger.list[-1]", "index_out_of_range", 12, "no item -1"),
    ("has of null", "has(steps.fetch.output.body)", "type_error", 23, "not into null"),
    ("add", "1 + 'a'", "type_error", 2, "'+' cannot take int and string"),
    ("add to a text", "'a' + 1", "type_error", 4, "string and int; string(…) makes a text of a value"),
    ("join numbers", "['a', 1].join()", "type_error", 9, "cannot take int, as item 1 of the list is"),
    ("add in a chain", "1 + 2 + 'a'", "type_error", 6, "'+' cannot take int and string"),
    ("bool is no number", "true + 1", "type_error", 5, "bool and int"),
    ("subtract", "'a' - 'b'", "type_error", 4, "string and string"),
    ("multiply", "'a' * 3", "type_error", 4, "string and int"),
    ("divide", "[] / 1", "type_error", 3, "list and int"),
    ("remainder of doubles", "5.0 % 2.0", "type_error", 4, "double and double"),
    ("negate", "-'a'", "type_error", 0, "'-' cannot take string"),
    ("not", "!1", "type_error", 0, "'!' cannot take int"),
    ("order of lists", "[1] < [2]", "type_error", 4, "list and list"),
    ("order of null", "null < null", "type_error", 5, "null and null"),
    ("order of types", "1 < '2'", "type_error", 2, "int and string"),
    ("in a text", "'a' in 'abc'", "type_error", 4, "'in' cannot take string and string"),
    ("condition", "1 ? 2 : 3", "type_error", 2, "the condition is a bool, not int"),
    ("and", "true && 1", "type_error", 5, "'&&' wants bools, not int"),
    ("first of two errors", "1 / 0 == 1 && trigger.nope", "division_by_zero", 2, "division by zero"),
    ("int division", "1 / 0", "division_by_zero", 2, "division by zero"),
    ("int remainder", "1 % 0", "division_by_zero", 2, "division by zero"),
    ("sum", "9223372036854775807 + 1", "overflow", 20, "64 bits"),
    ("difference", "-9223372036854775808 - 1", "overflow", 21, "64 bits"),
    ("product", "9223372036854775807 * 2", "overflow", 20, "64 bits"),
    ("quotient", "-9223372036854775808 / -1", "overflow", 21, "64 bits"),
    ("opposite", "-(-9223372036854775808)", "overflow", 0, "64 bits"),
    ("remainder of the smallest", "-9223372036854775808 % -1", "overflow", 21, "64 bits"),
    ("huge int", "string(trigger.huge)", "overflow", 0, "64 bits"),
    ("not a number", "0.0 / 0.0", "type_error", 0, "not a number"),
    ("infinite", "[1.0 / 0.0]", "type_error", 0, "infinite"),
    ("int of a text", "int('1.5')", "invalid_argument", 0, "no integer"),
    ("int of a large double", "int(1e19)", "overflow", 0, "64 bits"),
    ("int of infinity", "int(1.0 / 0.0)", "overflow", 0, "64 bits"),
    ("int of a list", "int([])", "type_error", 0, "'int' cannot take list"),
    ("double of a text", "double('1_0')", "invalid_argument", 0, "no number"),
    ("double of too much", "double('1e400')", "overflow", 0, "too large"),
    ("string of a list", "string([])", "type_error", 0, "'string' cannot take list"),
    ("string of null", "string(null)", "type_error", 0, "'string' cannot take null"),
    ("bool of a text", "bool('yes')", "invalid_argument", 0, "neither true nor false"),
    ("size of an int", "size(1)", "type_error", 0, "'size' cannot take int"),
    ("timestamp", "timestamp('yesterday')", "invalid_argument", 0, "2025-01-31T09:00:00Z"),
    ("no such day", "timestamp('2023-02-29T00:00:00Z')", "invalid_argument", 0, "no timestamp"),
    ("no offset", "timestamp('2023-02-28T00:00:00')", "invalid_argument", 0, "no timestamp"),
    ("late timestamp", "timestamp(99999999999999)", "overflow", 0, "out of range"),
    ("duration", "duration('1 hour')", "invalid_argument", 0, "1h30m"),
    ("long duration", "duration('99999999999999h')", "overflow", 0, "out of range"),
    ("late moment", "timestamp('9999-12-31T23:59:59Z') + duration('1s')", "overflow", 34, "out of range"),
    ("time zone", "timestamp(0).getHours('Nowhere')", "invalid_argument", 13, "no such time zone"),
    ("folder as time zone", "timestamp(0).getHours('America')", "invalid_argument", 13, "no such time zone"),
    ("path as time zone", "timestamp(0).getHours('../../etc/passwd')", "invalid_argument", 13, "no such time zone"),
    ("offset", "timestamp(0).getHours('+25:00')", "invalid_argument", 13, "no such time zone"),
    ("early in its zone", "timestamp('0001-01-01T00:00:00Z').getHours('-01:00')", "overflow", 34, "time zone"),
    ("hours of a text", "'a'.getHours()", "type_error", 4, "'getHours' cannot take string"),
    ("date of a duration", "duration('1s').getDate()", "type_error", 15, "cannot take duration"),
    ("contains", "trigger.text.contains(1)", "type_error", 13, "'contains' cannot take string and int"),
    ("join", "[1].join()", "type_error", 4, "'join' cannot take int"),
    ("substring", "'abc'.substring(2, 1)", "index_out_of_range", 6, "no position from 2 to 1"),
    ("charAt", "'abc'.charAt(4)", "index_out_of_range", 6, "no position 4"),
    ("indexOf", "'abc'.indexOf('a', 4)", "index_out_of_range", 6, "no position 4"),
    ("split limit", "'abc'.split(',', 'x')", "type_error", 6, "'split' cannot take"),
    ("computed pattern", "'a'.matches('(' + 'a')", "invalid_argument", 4, "not a pattern of RE2"),
    ("macro over text", "trigger.text.map(c, c)", "type_error", 13, "'map' goes over lists and maps, not string"),
    ("macro condition", "[1].filter(x, x)", "type_error", 4, "the condition of 'filter' is a bool, not int"),
    ("quantifier condition", "[1].all(x, x)", "type_error", 4, "the condition of 'all'"),
    ("error in a macro", "[0].exists(x, 1 / x > 0)", "division_by_zero", 16, "division by zero"),
    ("map keys", "{1: 2}", "type_error", 1, "keys of a map are strings"),
    ("doubled key", "{'a': 1, 'a': 2}", "invalid_argument", 9, "twice"),
]


@pytest.mark.parametrize(
    ("source", "code", "position", "message"), [row[1:] for row in UNREADABLE], ids=[row[0] for row in UNREADABLE]
)
def test_what_cannot_be_read_is_refused_before_it_runs(source: str, code: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source)
    error = caught.value
    assert (error.code, error.position, error.expression) == (code, position, source)
    assert message in error.message


@pytest.mark.parametrize(
    ("source", "code", "position", "message"), [row[1:] for row in FAILING], ids=[row[0] for row in FAILING]
)
def test_what_fails_says_where_and_why(source: str, code: str, position: int, message: str) -> None:
    expression = compile_expression(source)
    with pytest.raises(ExpressionError) as caught:
        expression.evaluate(SCOPE)
    error = caught.value
    assert (error.code, error.position, error.expression, error.pointer) == (code, position, source, "")
    assert message in error.message


def test_an_error_reads_as_a_sentence_with_its_place() -> None:
    with pytest.raises(ExpressionError, match=r"no field 'nope'; .* \(at position 8 of `trigger.nope`\)"):
        compile_expression("trigger.nope").evaluate(SCOPE)


def test_names_in_messages_are_bounded() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression("m.x").evaluate({"m": {"k" * 1000 + str(i): i for i in range(100)}})
    assert len(caught.value.message) < 1000
