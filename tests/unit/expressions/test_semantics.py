"""What expressions mean, as a table: each row is an expression and its value."""

from typing import Any

import pytest

from engine.core.expressions import compile_expression

SCOPE: dict[str, Any] = {
    "trigger": {
        "count": 3,
        "price": 2.5,
        "name": "Ada",
        "tags": ["new", "gift"],
        "empty": None,
        "paid": True,
        "key": "count",
        "odd-name": 7,
        "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}, {"sku": "c", "n": 3}],
        "big": 9007199254740993,
    },
    "steps": {"fetch": {"status": "succeeded", "output": {"body": {"total": 120}}}},
}

LITERALS = [
    ("null", None),
    ("true", True),
    ("-9223372036854775808", -(2**63)),
    ("0x1F", 31),
    ("-0x1F", -31),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("2.5E-1", 0.25),
    (r"'\x41\u00e9\101\U0001F600'", "AéA😀"),
    (r"'\a\b\f\n\r\t\v\\\?\"\'\`'", "\a\b\f\n\r\t\v\\?\"'`"),
    (r"r'\d+'", r"\d+"),
    (r'R"\\"', r"\\"),
    ("'''a\n'b''c'''", "a\n'b''c"),
    ('"""say "hi" now"""', 'say "hi" now'),
    ("[1, 'a', null,]", [1, "a", None]),
    ("{'a': 1, 'b': [2],}", {"a": 1, "b": [2]}),
    ("[]", []),
    ("{}", {}),
    ("  1\n\t+ 2 ", 3),
]

OPERATORS = [
    ("1 + 2 * 3 - 4", 3),
    ("(1 + 2) * 3", 9),
    ("-7 / 2", -3),
    ("7 / -2", -3),
    ("-7 % 3", -1),
    ("7 % -3", 1),
    ("7.0 / 2", 3.5),
    ("1 - -1", 2),
    ("--5", 5),
    ("!!true", True),
    ("-trigger.count", -3),
    ("1 + 0.5", 1.5),
    ("trigger.price * 2", 5.0),
    ("'a' + 'b' + 'c'", "abc"),
    ("[1] + [2] + []", [1, 2]),
    ("1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3", True),
    ("'a' < 'b'", True),
    ("false < true", True),
    ("1 == 1.0", True),
    ("trigger.big == 9007199254740992.0", True),
    ("1 < 1.5", True),
    ("1 == true", False),
    ("1 == '1'", False),
    ("null == null", True),
    ("null != 0", True),
    ("[1, [2]] == [1.0, [2]]", True),
    ("[1, true] == [true, 1]", False),
    ("{'a': [1]} == {'a': [1.0]}", True),
    ("{'a': 1} == {'b': 1}", False),
    ("1 in [1.0, 2]", True),
    ("true in [1]", False),
    ("'new' in trigger.tags", True),
    ("'name' in trigger", True),
    ("1 in trigger", False),
    ("null in [null]", True),
    ("[1] in [[1.0]]", True),
    ("true ? 1 : 1 / 0", 1),
    ("false ? 1 : true ? 2 : 3", 2),
    ("true || false && false", True),
    ("0.0 / 0.0 == 0.0 / 0.0", False),
    ("1.0 / 0.0 > 1e308", True),
    ("1.0 / -0.0 < 0.0", True),
]

ABSORPTION = [
    ("false && 1 / 0 == 1", False),
    ("1 / 0 == 1 && false", False),
    ("true || 1 / 0 == 1", True),
    ("1 / 0 == 1 || true", True),
    ("'text' && false", False),
    ("trigger.nope.x && trigger.nope.y && false", False),
    ("[0, 1].exists(x, 1 / x > 0)", True),
    ("[0, 2].all(x, 1 / x > 0)", False),
]

SELECTION = [
    ("trigger.name", "Ada"),
    ("trigger['odd-name']", 7),
    ("trigger[trigger.key]", 3),
    ("trigger.tags[1]", "gift"),
    ("trigger.tags[1.0]", "gift"),
    ("trigger.lines[0].sku", "a"),
    ("steps.fetch.output.body.total", 120),
    ("(trigger).name", "Ada"),
    ("{'a': {'b': 1}}.a.b", 1),
    ("has(trigger.name)", True),
    ("has(trigger.nope)", False),
    ("has(trigger.empty)", True),
    ("has({'a': 1}.a)", True),
    ("trigger.empty", None),
]

MACROS = [
    ("trigger.lines.all(l, l.n > 0)", True),
    ("trigger.lines.exists(l, l.n == 2)", True),
    ("trigger.lines.exists_one(l, l.n > 2)", True),
    ("trigger.lines.exists_one(l, l.n > 1)", False),
    ("trigger.lines.filter(l, l.n > 2).map(l, l.sku)", ["c"]),
    ("[1, 2, 3].map(x, x > 1, x * 10)", [20, 30]),
    ("[1, 2].map(x, [10, 20].map(y, x * y))", [[10, 20], [20, 40]]),
    ("[1, 2].map(x, [x].map(x, x + 1)[0] + x)", [3, 5]),
    ("{'a': 1, 'b': 2}.filter(k, k != 'a')", ["b"]),
    ("{'a': 1}.map(k, k + '!')", ["a!"]),
    ("[].all(x, false)", True),
    ("[].exists(x, true)", False),
    ("['x'].map(trigger, trigger)", ["x"]),
]

CONVERSIONS = [
    ("size('é😀')", 2),
    ("trigger.tags.size()", 2),
    ("size({'a': 1})", 1),
    ("int('-12')", -12),
    ("int(-1.9)", -1),
    ("int(timestamp('1969-12-31T23:59:59.5Z'))", -1),
    ("double('1.5e2')", 150.0),
    ("double(2)", 2.0),
    ("string(1.0)", "1"),
    ("string(1000000.0)", "1000000"),
    ("string(0.1)", "0.1"),
    ("string(-0.0)", "-0"),
    ("string(1.0 / 0.0)", "+infinity"),
    ("string(-1.0 / 0.0)", "-infinity"),
    ("string(0.0 / 0.0)", "NaN"),
    ("string(true) + string(1) + string('x')", "true1x"),
    ("bool('true') && bool(true) && !bool('f')", True),
]

STRINGS = [
    ("'abc'.contains('bc')", True),
    ("'abc'.startsWith('ab') && 'abc'.endsWith('bc')", True),
    ("'abc'.matches('^a.c$')", True),
    ("matches('xabcx', 'b')", True),
    ("'abc'.matches('b' + 'x')", False),
    ("'ÀBc'.lowerAscii() + 'aé'.upperAscii()", "ÀbcAé"),
    ("' \\ta '.trim()", "a"),
    ("'abc'.trim()", "abc"),
    ("'a,b,c'.split(',')", ["a", "b", "c"]),
    ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
    ("'abc'.split('')", ["a", "b", "c"]),
    ("'abc'.split('', 2)", ["a", "bc"]),
    ("'abc'.split(',', 0)", []),
    ("''.split(',')", [""]),
    ("['a', 'b'].join('-') + ['c', 'd'].join()", "a-bcd"),
    ("'aaa'.replace('a', 'b')", "bbb"),
    ("'aaa'.replace('a', 'b', 2)", "bba"),
    ("'abc'.replace('', '-')", "-a-b-c-"),
    ("'abc'.substring(1) + 'abc'.substring(0, 1)", "bca"),
    ("'tacocat'.indexOf('a', 3)", 5),
    ("'abc'.indexOf('z')", -1),
    ("'abc'.charAt(1) + 'abc'.charAt(3)", "b"),
]

TIMES = [
    ("timestamp('2024-01-31T10:00:00+02:00')", "2024-01-31T08:00:00Z"),
    ("timestamp('2024-01-01T00:00:00.1234567Z')", "2024-01-01T00:00:00.123456Z"),
    ("timestamp(0)", "1970-01-01T00:00:00Z"),
    ("timestamp(timestamp(0)) == timestamp('1970-01-01T00:00:00Z')", True),
    ("duration('1h30m')", "5400s"),
    ("duration('-1.5s')", "-1.5s"),
    ("duration('250ms') + duration('1us')", "0.250001s"),
    ("duration(duration('0'))", "0s"),
    ("timestamp(0) + duration('1h') - duration('1m')", "1970-01-01T00:59:00Z"),
    ("duration('1h') + timestamp(0)", "1970-01-01T01:00:00Z"),
    ("timestamp(7200) - timestamp(0)", "7200s"),
    ("timestamp(1) > timestamp(0) && duration('1m') < duration('61s')", True),
    ("string(timestamp(0)) + ' ' + string(duration('1m'))", "1970-01-01T00:00:00Z 60s"),
    ("[timestamp(0), {'after': duration('1s')}]", ["1970-01-01T00:00:00Z", {"after": "1s"}]),
    ("timestamp('2024-02-29T23:30:05.250Z').getFullYear()", 2024),
    ("timestamp('2024-02-29T23:30:05.250Z').getMonth()", 1),
    ("timestamp('2024-02-29T23:30:05.250Z').getDate()", 29),
    ("timestamp('2024-02-29T23:30:05.250Z').getDayOfMonth()", 28),
    ("timestamp('2024-02-29T23:30:05.250Z').getDayOfWeek()", 4),
    ("timestamp('2024-02-29T23:30:05.250Z').getDayOfYear()", 59),
    ("timestamp('2024-02-29T23:30:05.250Z').getHours('Europe/Berlin')", 0),
    ("timestamp('2024-02-29T23:30:05.250Z').getHours('-02:30')", 21),
    ("timestamp('2024-02-29T23:30:05.250Z').getMinutes('UTC')", 30),
    ("timestamp('2024-02-29T23:30:05.250Z').getSeconds()", 5),
    ("timestamp('2024-02-29T23:30:05.250Z').getMilliseconds()", 250),
    ("duration('-90.5s').getHours()", 0),
    ("duration('-90.5s').getMinutes()", -1),
    ("duration('-90.5s').getSeconds()", -90),
    ("duration('-90.5s').getMilliseconds()", -500),
]

ROWS = [*LITERALS, *OPERATORS, *ABSORPTION, *SELECTION, *MACROS, *CONVERSIONS, *STRINGS, *TIMES]


@pytest.mark.parametrize(("source", "value"), ROWS, ids=[source for source, _ in ROWS])
def test_an_expression_has_its_value(source: str, value: Any) -> None:
    result = compile_expression(source).evaluate(SCOPE)
    assert result == value
    assert repr(result) == repr(value)


def test_a_value_of_the_scope_is_passed_on_and_not_copied() -> None:
    assert compile_expression("trigger.lines").evaluate(SCOPE) is SCOPE["trigger"]["lines"]


def test_an_evaluation_changes_nothing_in_the_scope() -> None:
    before = repr(SCOPE)
    compile_expression("[trigger, timestamp(0)] + trigger.lines.map(l, {'l': l, 'at': timestamp(0)})").evaluate(SCOPE)
    assert repr(SCOPE) == before


def test_an_expression_gives_the_same_value_again() -> None:
    expression = compile_expression("trigger.lines.map(l, {'n': l.n, 'at': timestamp(l.n)})")
    assert expression.evaluate(SCOPE) == expression.evaluate(SCOPE)


def test_a_double_stays_a_double() -> None:
    assert repr(compile_expression("2 * 1.5").evaluate({})) == "3.0"
