"""Places in a document: walked through for each of its values, and written as JSON pointers (RFC 6901) for few.

A pointer repeats every name around its place. Written for each value, those of a document with a long name around many
values would be thousands of times as long as the document.
"""

from typing import Any, TypeAlias

# A place and the key or index in it; nothing is the document itself.
Place: TypeAlias = tuple[Any, ...]


def write_pointer(place: Place) -> str:
    """The JSON pointer of a place."""
    tokens: list[str] = []
    while place:
        place, key = place
        tokens.append(escape_token(str(key)))
    return "".join([f"/{token}" for token in reversed(tokens)])


def escape_token(token: str) -> str:
    """A key as it stands in a JSON pointer."""
    return token.replace("~", "~0").replace("/", "~1")
