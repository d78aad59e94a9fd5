"""What is wrong with a document, said so that a person can mend it."""

from msgspec import Struct


class Problem(Struct, frozen=True, kw_only=False):
    """One fault of a document: where (JSON pointer), a stable code, a plain sentence."""

    pointer: str
    code: str
    message: str
