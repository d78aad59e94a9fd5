"""ETags of things with a revision, and the preconditions of those who change them."""

import re
from typing import Final

from app.errors import PreconditionRequired

_TAG = re.compile(r'(W/)?"([^"\x00-\x20\x7f]*)"')
_MAX_CHARACTERS: Final = 1000


def make_etag(revision: int) -> str:
    """The strong ETag of a revision."""
    return f'"{revision}"'


def matches(if_match: str, etag: str) -> bool:
    """Whether `If-Match` names the current ETag, by strong comparison: a weak tag never does; `*` always."""
    text = if_match.strip()[:_MAX_CHARACTERS]
    return text == "*" or any(not weak and f'"{opaque}"' == etag for weak, opaque in _TAG.findall(text))


def require_if_match(if_match: str | None) -> str:
    """The header's value; raises PreconditionRequired where it is missing."""
    if not if_match:
        raise PreconditionRequired
    return if_match
