"""Passwords that are tried first: of those that are long enough to be taken, the 3,000 most frequent.

They are known by `common_passwords.bin`: the first 8 bytes of the SHA-256 of each in lower case, in order. Where they
come from is the list of a million of SecLists (https://github.com/danielmiessler/SecLists, MIT), of which most are
too short.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from app.errors import InvalidRequest
from engine.core.problems import Problem

DIGEST_BYTES: Final = 8
_FILE: Final = Path(__file__).with_name("common_passwords.bin")


def refuse_common(password: str, email: str, pointer: str) -> None:
    """Raise InvalidRequest for a new password that others try first, in any case, or that is the very email."""
    plain = password.casefold()
    if plain == email.casefold() or _digest(plain) in _known():
        message = "it is among the passwords that are tried first; take another one"
        raise InvalidRequest(errors=[Problem(pointer, "too_common", message)])


@cache
def _known() -> frozenset[bytes]:
    kept = _FILE.read_bytes()
    return frozenset(kept[start : start + DIGEST_BYTES] for start in range(0, len(kept), DIGEST_BYTES))


def _digest(plain: str) -> bytes:
    return hashlib.sha256(plain.encode()).digest()[:DIGEST_BYTES]
