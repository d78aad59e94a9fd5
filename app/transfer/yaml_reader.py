"""YAML as workflow files use it: JSON's values in YAML's clothes, read without recursion and within limits.

A plain scalar is null (`null`, `~`, nothing), `true`, `false`, a number as JSON writes it, or else text: `no`, `12:30`,
`2026-01-01` and `007` stay what was written. Anchors, aliases and tags are refused, as are repeated keys.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import yaml
from msgspec import Struct, field
from yaml import events

from app.bodies import MAX_DEPTH
from app.repeated_keys import describe_repeated
from engine.core.places import escape_token
from engine.core.problems import Problem

MAX_NODES: Final = 250_000
# Of a stream; those that are empty do not count.
MAX_DOCUMENTS: Final = 100
# Pointers repeat the names around them: where the values of a stream stand is kept for so many characters of them.
MAX_POINTER_CHARACTERS: Final = 33_554_432
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][+-]?[0-9]+)?")
_CONSTANTS: Final[dict[str, Any]] = {"": None, "~": None, "null": None, "true": True, "false": False}
_TEXT_TAG: Final = "tag:yaml.org,2002:str"
# As long as an integer of JSON may be.
_LONGEST_NUMBER: Final = 4300
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlFault(ValueError):
    """The text cannot be read; `line` and `column` count from 1. `problem` is the fault of a value that could be."""

    def __init__(self, message: str, line: int, column: int, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.problem = message, line, column, problem


class YamlDocument(Struct, frozen=True, kw_only=True):
    """One document of a stream: its value, and line and column (from 1) of what JSON pointers name.

    Of a stream with very long names, only those of its first values are known.
    """

    value: Any
    places: dict[str, tuple[int, int]]


class _Level(Struct):
    """An open list or object; `key` is what the next value belongs to, None where a key comes next.

    `pointer` and `key_pointer` are None where places are kept no more.
    """

    container: list[Any] | dict[str, Any]
    pointer: str | None
    key: str | None = None
    key_pointer: str | None = None
    seen: set[str] = field(default_factory=set)


def read_documents(raw: bytes) -> list[YamlDocument]:
    """The documents of a YAML stream that are not empty; raises YamlFault at the first fault."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _fail_at_offset("this is no UTF-8", raw, error.start)
    try:
        return list(_count(_compose(text)))
    except yaml.reader.ReaderError as error:
        _fail_at_offset("a control character may not stand here", raw, error.position)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlFault(error.problem or "this is no YAML", line, column) from None


def _count(documents: Iterator[YamlDocument]) -> Iterator[YamlDocument]:
    """The documents; raises YamlFault at the first that is too many, before those behind it are read."""
    for number, document in enumerate(documents):
        if number == MAX_DOCUMENTS:
            raise YamlFault(f"at most {MAX_DOCUMENTS} workflows are taken at a time", *document.places[""])
        yield document


def _compose(text: str) -> Iterator[YamlDocument]:
    room = _Room(MAX_POINTER_CHARACTERS)
    composer, nodes = _Composer(room), 0
    for event in yaml.parse(text, Loader=_LOADER):
        nodes += isinstance(event, events.NodeEvent)
        if nodes > MAX_NODES:
            _fail(f"there are more than {MAX_NODES:,} values", event)
        match event:
            case events.DocumentStartEvent():
                composer = _Composer(room)
            case events.AliasEvent():
                _fail("aliases are not read: write the value out", event)
            case events.ScalarEvent():
                composer.add_scalar(event)
            case events.MappingStartEvent():
                composer.open_level({}, event)
            case events.SequenceStartEvent():
                composer.open_level([], event)
            case events.MappingEndEvent() | events.SequenceEndEvent():
                composer.levels.pop()
            case events.DocumentEndEvent() if composer.value is not None:
                yield YamlDocument(value=composer.value, places=composer.places)


class _Room:
    """The characters of pointers that there still is room for."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def take(self, characters: int) -> bool:
        """Whether there was room for so many more; once there was not, there never is."""
        self._left -= characters
        return self._left >= 0


class _Composer:
    """Builds the value of one document from its events."""

    def __init__(self, room: _Room) -> None:
        self.value: Any = None
        self.places: dict[str, tuple[int, int]] = {}
        self.levels: list[_Level] = []
        self._room = room

    def add_scalar(self, event: events.ScalarEvent) -> None:
        _refuse_marks(event)
        level = self.levels[-1] if self.levels else None
        if level is not None and isinstance(level.container, dict) and level.key is None:
            self._take_key(level, event)
        else:
            self._place(_read_scalar(event), event)

    def open_level(
        self, container: list[Any] | dict[str, Any], event: events.MappingStartEvent | events.SequenceStartEvent
    ) -> None:
        _refuse_marks(event)
        if len(self.levels) >= MAX_DEPTH:
            _fail(f"this is nested more than {MAX_DEPTH} levels deep", event)
        self.levels.append(_Level(container, self._place(container, event)))

    def _take_key(self, level: _Level, event: events.ScalarEvent) -> None:
        if event.value in level.seen:
            problem = describe_repeated(level.pointer or "", event.value)
            raise YamlFault(problem.message, *_where(event), problem)
        level.seen.add(event.value)
        level.key = event.value
        level.key_pointer = self._note(level.pointer, event.value, event)

    def _note(self, around: str | None, key: str, event: events.NodeEvent) -> str | None:
        """Keep where something stands, and give the pointer to it; None once there is no room."""
        if around is None:
            return None
        if not self._room.take(len(around) + len(key) + 1):
            return None
        pointer = f"{around}/{escape_token(key)}"
        self.places[pointer] = _where(event)
        return pointer

    def _place(self, value: Any, event: events.NodeEvent) -> str | None:
        """Put a value where it belongs, and give the pointer to it, where that is kept."""
        if not self.levels:
            self.value = value
            self.places[""] = _where(event)
            return ""
        level = self.levels[-1]
        if isinstance(level.container, list):
            pointer = self._note(level.pointer, str(len(level.container)), event)
            level.container.append(value)
            return pointer
        if level.key is None:
            _fail("a key is a text", event)
        level.container[level.key] = value
        level.key = None
        return level.key_pointer


def _refuse_marks(event: events.ScalarEvent | events.MappingStartEvent | events.SequenceStartEvent) -> None:
    if event.anchor is not None:
        _fail("anchors are not read: write the value out where it is used", event)
    if event.tag not in (None, "!") and not (isinstance(event, events.ScalarEvent) and event.tag == _TEXT_TAG):
        _fail(f"the tag {event.tag[:100]} is not read", event)


def _read_scalar(event: events.ScalarEvent) -> Any:
    text: str = event.value
    # libyaml calls a plain scalar's style "", Python's own parser None.
    if event.style or event.tag is not None:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    if len(text) > _LONGEST_NUMBER:
        _fail("this number is too long; write it in quotes if it is a text", event)
    if number["fraction"] is None and number["exponent"] is None:
        return int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        _fail("this number is too large; write it in quotes if it is a text", event)
    return value


def _where(event: events.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _fail(message: str, event: events.Event) -> NoReturn:
    raise YamlFault(message, *_where(event))


def _fail_at_offset(message: str, raw: bytes, offset: int) -> NoReturn:
    before = raw[:offset]
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode(errors="replace")) + 1
    raise YamlFault(message, before.count(b"\n") + 1, column) from None
