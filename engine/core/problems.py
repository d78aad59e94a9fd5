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


def fit(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The first of them, at least one, as far as they are told at all: `MOST_TOLD` characters."""
    room = MOST_TOLD
    for number, problem in enumerate(problems):
        room -= len(problem.pointer) + len(problem.message)
        if room < 0 and number:
            return
        yield problem
