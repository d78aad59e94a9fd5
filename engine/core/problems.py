"""What is wrong with a document, said so that a person can mend it."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

# Pointers and sentences of a document's faults together, in characters: a name may be as long as the document.
MOST_TOLD = 1_048_576


class Problem(Struct, frozen=True, kw_only=False):
    """One fault of a document: where (JSON pointer), a stable code, a plain sentence."""

    pointer: str
    code: str
    message: str


class Room:
    """What is left of the room in which the faults of one or more documents are told together."""

    def __init__(self) -> None:
        self._left = MOST_TOLD

    def fit(self, problems: Iterable[Problem]) -> Iterator[Problem]:
        """The first of them, as far as there is room; the very first of all always."""
        for problem in problems:
            size = len(problem.pointer) + len(problem.message)
            if size > self._left < MOST_TOLD:
                return
            self._left -= size
            yield problem


def fit(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The first of them, at least one, as far as they are told at all: `MOST_TOLD` characters."""
    return Room().fit(problems)
