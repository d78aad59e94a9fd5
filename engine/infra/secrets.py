"""Secrets at rest: AES-256-GCM under a key derived per purpose from the installation's secret key.

A sealed value is `version (1 byte) | key id (8) | nonce (12) | ciphertext and tag`. The key id tells at once whether
a value was sealed under another secret key; the associated data binds it to its place, so that a row copied to
another place does not open.
"""

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.infra.settings import SettingError, Settings, load_secret_keys

KEY_BYTES = 32
_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES


class SecretError(Exception):
    """A sealed value does not open: it was sealed under another key, for another place, or was altered."""


def decode_secret_key(text: str) -> bytes:
    """The 32 bytes of a secret key in base64 (either alphabet); raises SettingError that says how to make one."""
    try:
        standard = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
        key = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingError(
            "FLOWFORGE_SECRET_KEY must be 32 random bytes as base64. Make one with `openssl rand -base64 32`."
        )
    return key


def derive_key(secret_key: str, purpose: str) -> bytes:
    """32 bytes of key for one purpose (HKDF-SHA256): a leak of one purpose's key tells nothing of another's."""
    kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"flowforge/{purpose}".encode())
    return kdf.derive(decode_secret_key(secret_key))


class SecretKeys:
    """The installation's secret keys, as they are now: they may be rotated while this process runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self) -> tuple[str, ...]:
        """All of them, the newest first; raises SettingError, OSError."""
        return load_secret_keys(self._settings)


class SecretBox:
    """Seals and opens the secrets of one purpose. `older_keys` still open what they once sealed.

    Of `SecretKeys` it follows the rotation: it seals under the newest, and opens under one that it has not met yet.
    """

    def __init__(self, secret_key: str | SecretKeys, purpose: str, older_keys: tuple[str, ...] = ()) -> None:
        self._purpose = purpose
        self._keys = secret_key if isinstance(secret_key, SecretKeys) else None
        self._key_id = b""
        self._ciphers: dict[bytes, AESGCM] = {}
        self._take((secret_key, *older_keys) if isinstance(secret_key, str) else secret_key.read())

    def seal(self, plaintext: bytes, place: str) -> bytes:
        """Encrypt, bound to `place`: the table, row and column that the value is kept in."""
        if self._keys is not None:
            self._take(self._keys.read())
        header = _VERSION + self._key_id
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + self._ciphers[self._key_id].encrypt(nonce, plaintext, _associated(header, place))

    def open(self, sealed: bytes, place: str) -> bytes:
        """Decrypt what `seal` made for the same place; raises SecretError otherwise."""
        header, rest = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        cipher = self._find(header[len(_VERSION) :])
        if header[: len(_VERSION)] != _VERSION or cipher is None:
            raise SecretError("sealed under another secret key: FLOWFORGE_SECRET_KEY differs from the one used then")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _associated(header, place))
        except (InvalidTag, ValueError):
            raise SecretError("the sealed value was altered, or belongs to another place") from None

    def _find(self, wanted: bytes) -> AESGCM | None:
        if wanted not in self._ciphers and self._keys is not None:
            self._take(self._keys.read())
        return self._ciphers.get(wanted)

    def _take(self, keys: tuple[str, ...]) -> None:
        """Use these keys, the newest of which stands first."""
        for key in reversed(keys):
            self._key_id = key_id(key)
            if self._key_id not in self._ciphers:
                self._ciphers[self._key_id] = AESGCM(derive_key(key, self._purpose))


class SecretDigests:
    """Digests that tell whether the same comes again, and that nobody without the secret key can guess it by.

    A digest is `version (1 byte) | key id (8) | HMAC-SHA256 (32)`. An older key tells its own until it is forgotten.
    """

    def __init__(self, keys: SecretKeys, purpose: str) -> None:
        self._keys, self._purpose = keys, purpose
        self._read: tuple[str, ...] = ()
        self._derived: dict[bytes, bytes] = {}
        self._key_id = b""

    def make(self, message: bytes) -> bytes:
        """The digest of a message under the newest key; raises SettingError, OSError where there is none."""
        self._refresh()
        return self._write(self._key_id, message)

    def is_of(self, digest: bytes, message: bytes) -> bool:
        """Whether a digest was made of this message; False where its key is no longer known."""
        made_by = digest[len(_VERSION) : _HEADER_BYTES]
        if made_by not in self._derived:
            self._refresh()
        return made_by in self._derived and hmac.compare_digest(digest, self._write(made_by, message))

    def _write(self, made_by: bytes, message: bytes) -> bytes:
        return _VERSION + made_by + hmac.digest(self._derived[made_by], message, "sha256")

    def _refresh(self) -> None:
        """Know the keys as they are now, the newest of which stands first."""
        keys = self._keys.read()
        if keys != self._read:
            self._derived = {key_id(key): derive_key(key, self._purpose) for key in keys}
            self._key_id = key_id(keys[0])
            self._read = keys


def key_id(secret_key: str) -> bytes:
    """Eight bytes that name a secret key without telling anything about it."""
    return hashlib.sha256(b"flowforge key id" + derive_key(secret_key, "key id")).digest()[:_KEY_ID_BYTES]


def _associated(header: bytes, place: str) -> bytes:
    return header + place.encode()
