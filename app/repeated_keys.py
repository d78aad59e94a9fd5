"""Keys that stand twice in a JSON object: one reader takes the first, another the last, so that neither is meant."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from engine.core.places import Place, write_pointer
from engine.core.problems import Problem, fit

MAX_TOLD = 200
_SHOWN_CHARACTERS = 100


class _Repeating(dict[str, Any]):
    """An object some of whose keys stand in it more than once."""

    __slots__ = ("repeated",)

    repeated: list[str]


def find_repeated_keys(raw: bytes) -> list[Problem]:
    """The repeated keys of a JSON text, which must be valid and not nested deeply, with their pointers.

    Takes some ten milliseconds a hundred KiB: nothing for a hot path.
    """
    found: list[_Repeating] = []

    def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) == len(pairs) or len(found) == MAX_TOLD:
            return members
        repeating = _Repeating(members)
        repeating.repeated = _list_repeated([key for key, _ in pairs])
        found.append(repeating)
        return repeating

    # Numbers do not matter here, and some are longer than Python reads.
    document = json.loads(raw, object_pairs_hook=read_object, parse_int=len, parse_float=len)
    return list(fit(islice(_tell(document, ()), MAX_TOLD))) if found else []


def _list_repeated(keys: Sequence[str]) -> list[str]:
    """Those that stand there more than once, each once."""
    return [key for key, count in Counter(keys).items() if count > 1]


def describe_repeated(pointer: str, key: str) -> Problem:
    """The fault of a key that stands twice in the object at the pointer."""
    message = f"the key {key[:_SHOWN_CHARACTERS]!r} stands here twice: keep one of them"
    return Problem(pointer + write_pointer(((), key)), "duplicate_key", message)


def _tell(value: dict[str, Any] | list[Any], place: Place) -> Iterator[Problem]:
    if isinstance(value, _Repeating):
        pointer = write_pointer(place)
        for key in value.repeated:
            yield describe_repeated(pointer, key)
    members: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in members:
        if isinstance(member, dict | list):
            yield from _tell(member, (place, key))
