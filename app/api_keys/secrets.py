"""What an API key looks like: `ff_live_`, eight characters that name it, 43 that nobody can guess, and a checksum.

The checksum tells a key that was cut off or mistyped from one that is unknown, without a look into the database, and
lets scanners of leaked secrets find keys without false alarms.
"""

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

from msgspec import Struct

MARK: Final = "ff_"
_START: Final = MARK + "live_"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_NAME_CHARACTERS: Final = 8
# 43 of 62 characters are 256 bits.
_SECRET_CHARACTERS: Final = 43
_CHECKSUM_CHARACTERS: Final = 6
_FORM = re.compile(rf"{_START}[0-9A-Za-z]{{{_NAME_CHARACTERS + _SECRET_CHARACTERS + _CHECKSUM_CHARACTERS}}}")


class NewKey(Struct, frozen=True):
    """A key that was just made: what is shown once, what may always be shown, and what is kept."""

    secret: str
    prefix: str
    digest: bytes


def make_key() -> NewKey:
    """A new key."""
    body = _START + "".join(secrets.choice(_ALPHABET) for _ in range(_NAME_CHARACTERS + _SECRET_CHARACTERS))
    secret = body + _checksum(body)
    return NewKey(secret, secret[: len(_START) + _NAME_CHARACTERS], hash_key(secret))


def is_well_formed(secret: str) -> bool:
    """Whether this can be a key at all."""
    body, checksum = secret[:-_CHECKSUM_CHARACTERS], secret[-_CHECKSUM_CHARACTERS:]
    return _FORM.fullmatch(secret) is not None and _checksum(body) == checksum


def hash_key(secret: str) -> bytes:
    """What is kept of a key; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    number, characters = zlib.crc32(body.encode()), []
    for _ in range(_CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))
