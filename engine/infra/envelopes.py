"""Envelope encryption: each value under a data key of its own, which is wrapped by the installation's secret key.

To change the secret key, data keys are wrapped anew and the values stay as they are. A wrapped key is what
`SecretBox` seals: it begins with the id of the secret key that opens it. A sealed value is
`version (1 byte) | nonce (12) | ciphertext and tag`; wrapped key and value are both bound to the value's place.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from engine.infra.secrets import KEY_BYTES, SecretBox, SecretError

_VERSION = b"\x01"
_NONCE_BYTES = 12


class Sealed(Struct, frozen=True):
    """A value under its data key, and that key as the secret key wraps it."""

    wrapped_key: bytes
    value: bytes


class Envelopes:
    """Seals and opens values of one purpose."""

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def seal(self, plaintext: bytes, place: str) -> Sealed:
        """Encrypt under a new data key, bound to `place`: the row that the value is kept in, and its workspace."""
        key = os.urandom(KEY_BYTES)
        nonce = os.urandom(_NONCE_BYTES)
        value = _VERSION + nonce + AESGCM(key).encrypt(nonce, plaintext, _associated(place))
        return Sealed(wrapped_key=self._box.seal(key, _place_of_key(place)), value=value)

    def open(self, sealed: Sealed, place: str) -> bytes:
        """Decrypt what `seal` made for the same place; raises SecretError otherwise."""
        key = self._box.open(sealed.wrapped_key, _place_of_key(place))
        version, nonce = sealed.value[:1], sealed.value[1 : 1 + _NONCE_BYTES]
        if version != _VERSION:
            raise SecretError("the sealed value was altered: it has no known version")
        try:
            return AESGCM(key).decrypt(nonce, sealed.value[1 + _NONCE_BYTES :], _associated(place))
        except (InvalidTag, ValueError):
            raise SecretError("the sealed value was altered, or belongs to another place") from None


def _associated(place: str) -> bytes:
    return _VERSION + place.encode()


def _place_of_key(place: str) -> str:
    return f"{place}/key"
