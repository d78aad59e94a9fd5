"""Values under data keys of their own, which the secret key wraps."""

import base64

import pytest
from msgspec.structs import replace

from engine.infra.envelopes import Envelopes
from engine.infra.secrets import SecretBox, SecretError, key_id

OLD, NEW = (base64.b64encode(bytes(range(first, first + 32))).decode() for first in (0, 1))


def envelopes(key: str, *older: str) -> Envelopes:
    return Envelopes(SecretBox(key, "connections", older_keys=older))


def test_what_was_sealed_opens_at_its_place_alone() -> None:
    kept = envelopes(OLD).seal(b"secret", "connection/w1/c1/1")
    assert envelopes(OLD).open(kept, "connection/w1/c1/1") == b"secret"
    for elsewhere in ("connection/w2/c1/1", "connection/w1/c2/1", "connection/w1/c1/2"):
        with pytest.raises(SecretError, match="another place"):
            envelopes(OLD).open(kept, elsewhere)


def test_a_value_opens_under_its_own_data_key_alone() -> None:
    first, second = (envelopes(OLD).seal(b"secret", "place") for _ in range(2))
    with pytest.raises(SecretError):
        envelopes(OLD).open(replace(first, value=second.value), "place")


@pytest.mark.parametrize("position", [0, 1, 12, 20, -1])
def test_an_altered_value_does_not_open(position: int) -> None:
    kept = envelopes(OLD).seal(b"a secret of some length", "place")
    altered = bytearray(kept.value)
    altered[position] ^= 1
    with pytest.raises(SecretError):
        envelopes(OLD).open(replace(kept, value=bytes(altered)), "place")


def test_a_key_that_is_wrapped_again_opens_the_same_value_under_the_new_secret_key() -> None:
    kept = envelopes(OLD).seal(b"secret", "place")
    box = SecretBox(NEW, "connections", older_keys=(OLD,))
    again = replace(kept, wrapped_key=box.seal(box.open(kept.wrapped_key, "place/key"), "place/key"))
    assert envelopes(NEW).open(again, "place") == b"secret"
    assert again.wrapped_key[1:9] == key_id(NEW)
    assert kept.wrapped_key[1:9] == key_id(OLD)
    with pytest.raises(SecretError, match="FLOWFORGE_SECRET_KEY"):
        envelopes(OLD).open(again, "place")
