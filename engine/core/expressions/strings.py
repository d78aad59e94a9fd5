"""Functions on strings. Each pays for what it builds before it builds it."""

import string
from functools import lru_cache
from typing import Any

import re2

from engine.core.expressions.errors import EvaluationError, LimitError
from engine.core.expressions.fuel import BYTES_PER_UNIT, MAX_PATTERN_LENGTH, Fuel
from engine.core.expressions.values import cannot_take, kind_of

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_PATTERN_MEMORY = 1 << 18
_PATTERNS_KEPT = 128
_PATTERN_COST = 300
_SEARCH_COST = 10
_INSTRUCTION_COST = 5
_INSTRUCTION_BYTES_PER_UNIT = 20


def contains(fuel: Fuel, text: Any, part: Any) -> bool:
    """Whether a text contains another."""
    _want_strings("contains", text, part)
    fuel.read_text(len(text))
    return part in text


def starts_with(fuel: Fuel, text: Any, prefix: Any) -> bool:
    """Whether a text starts with another."""
    _want_strings("startsWith", text, prefix)
    fuel.read_text(len(prefix))
    return bool(text.startswith(prefix))


def ends_with(fuel: Fuel, text: Any, suffix: Any) -> bool:
    """Whether a text ends with another."""
    _want_strings("endsWith", text, suffix)
    fuel.read_text(len(suffix))
    return bool(text.endswith(suffix))


def matches(fuel: Fuel, text: Any, pattern: Any) -> bool:
    """Whether a pattern (RE2) is found anywhere in a text."""
    _want_strings("matches", text, pattern)
    fuel.spend(_PATTERN_COST)
    compiled = compile_pattern(pattern)
    fuel.spend(_INSTRUCTION_COST * compiled.programsize)
    return search(fuel, text, compiled)


def search(fuel: Fuel, text: Any, compiled: Any) -> bool:
    """Whether a compiled pattern is found anywhere in a text."""
    if type(text) is not str:
        raise cannot_take("matches", text, "")
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise EvaluationError("invalid_argument", "'matches' found half a character in the text") from None
    # RE2 is linear in the text, but at worst follows every part of the pattern at each byte.
    fuel.spend(_SEARCH_COST + compiled.programsize * len(encoded) // _INSTRUCTION_BYTES_PER_UNIT)
    return compiled.search(encoded) is not None


@lru_cache(maxsize=_PATTERNS_KEPT)
def compile_pattern(pattern: str) -> Any:
    """A pattern ready to search bytes with; raises `EvaluationError` for what RE2 does not read."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise LimitError("too_long", f"the pattern is longer than {MAX_PATTERN_LENGTH} characters")
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _PATTERN_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        detail = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        if "too large" in detail:
            raise LimitError("too_long", "the pattern is too complex") from None
        raise EvaluationError("invalid_argument", f"not a pattern of RE2: {detail[:120]}") from None
    except UnicodeEncodeError:
        raise EvaluationError("invalid_argument", "'matches' found half a character in the pattern") from None


def lower_ascii(fuel: Fuel, text: Any) -> str:
    """The text with A to Z in lower case."""
    _want_strings("lowerAscii", text)
    return _translate(fuel, text, _LOWER)


def upper_ascii(fuel: Fuel, text: Any) -> str:
    """The text with a to z in upper case."""
    _want_strings("upperAscii", text)
    return _translate(fuel, text, _UPPER)


def _translate(fuel: Fuel, text: str, table: dict[int, int]) -> str:
    fuel.build_text(len(text))
    if not text.isascii():
        # Python translates other texts character by character.
        fuel.spend(len(text) // 4)
    return text.translate(table)


def trim(fuel: Fuel, text: Any) -> str:
    """The text without white space at either end."""
    _want_strings("trim", text)
    fuel.read_text(len(text))
    trimmed: str = text.strip()
    if len(trimmed) < len(text):
        fuel.build_text(len(trimmed))
    return trimmed


def split(fuel: Fuel, text: Any, separator: Any, limit: Any = -1) -> list[str]:
    """The parts of a text between separators, at most `limit` of them; an empty separator gives the characters."""
    _want_strings("split", text, separator)
    _want_int("split", text, limit)
    if limit == 0:
        return []
    fuel.read_text(len(text))
    parts = len(text) if separator == "" else text.count(separator) + 1
    fuel.spend(parts + len(text) // BYTES_PER_UNIT)
    if limit > 0:
        parts = min(parts, limit)
    if separator != "":
        return list(text.split(separator, parts - 1))
    return [*text[: parts - 1], text[parts - 1 :]] if text else [""]


def join(fuel: Fuel, items: Any, separator: Any = "") -> str:
    """The strings of a list as one, with a separator between them."""
    if type(items) is not list:
        raise cannot_take("join", items)
    _want_strings("join", separator)
    fuel.spend(1 + len(items))
    length = len(separator) * max(len(items) - 1, 0)
    for number, item in enumerate(items):
        if type(item) is not str:
            message = f"'join' cannot take {kind_of(item)}, as item {number} of the list is: it joins texts"
            raise EvaluationError("type_error", message)
        length += len(item)
    fuel.build_text(length)
    joined: str = separator.join(items)
    return joined


def replace(fuel: Fuel, text: Any, old: Any, new: Any, limit: Any = -1) -> str:
    """The text with `old` replaced by `new`, at most `limit` times."""
    _want_strings("replace", text, old, new)
    _want_int("replace", text, limit)
    fuel.read_text(len(text))
    times = text.count(old)
    if limit >= 0:
        times = min(times, limit)
    fuel.spend(times)
    fuel.build_text(len(text) + times * (len(new) - len(old)))
    replaced: str = text.replace(old, new, times)
    return replaced


def substring(fuel: Fuel, text: Any, start: Any, end: Any = None) -> str:
    """The characters from `start` up to, not including, `end`."""
    _want_strings("substring", text)
    _want_int("substring", text, start)
    if end is None:
        end = len(text)
    _want_int("substring", text, end)
    if not 0 <= start <= end <= len(text):
        raise _no_position(f"from {start} to {end}", text)
    fuel.build_text(end - start)
    part: str = text[start:end]
    return part


def index_of(fuel: Fuel, text: Any, part: Any, start: Any = 0) -> int:
    """Where a text first contains another, at or after `start`; -1 where it does not."""
    _want_strings("indexOf", text, part)
    _want_int("indexOf", text, start)
    if not 0 <= start <= len(text):
        raise _no_position(f"{start}", text)
    fuel.read_text(len(text) - start)
    found: int = text.find(part, start)
    return found


def char_at(_fuel: Fuel, text: Any, position: Any) -> str:
    """The character at a position, and an empty text right after the last."""
    _want_strings("charAt", text)
    _want_int("charAt", text, position)
    if not 0 <= position <= len(text):
        raise _no_position(f"{position}", text)
    character: str = text[position : position + 1]
    return character


def _want_strings(name: str, *values: Any) -> None:
    for value in values:
        if type(value) is not str:
            raise cannot_take(name, *values)


def _want_int(name: str, text: str, value: Any) -> None:
    if type(value) is not int:
        raise cannot_take(name, text, value)


def _no_position(position: str, text: str) -> EvaluationError:
    return EvaluationError("index_out_of_range", f"no position {position} in a text of {len(text)} characters")
