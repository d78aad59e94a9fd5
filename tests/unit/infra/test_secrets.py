import base64
from pathlib import Path

import pytest

from engine.infra.secrets import SecretBox, SecretDigests, SecretError, SecretKeys, decode_secret_key, derive_key
from engine.infra.settings import SettingError, Settings

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(range(1, 33))).decode()


def test_what_was_sealed_opens_again() -> None:
    box = SecretBox(KEY, "connections")
    assert box.open(box.seal(b"hunter2", "connection/1/secret"), "connection/1/secret") == b"hunter2"


def test_sealing_twice_gives_different_bytes() -> None:
    box = SecretBox(KEY, "connections")
    assert box.seal(b"same", "place") != box.seal(b"same", "place")


def test_a_value_moved_to_another_place_does_not_open() -> None:
    box = SecretBox(KEY, "connections")
    with pytest.raises(SecretError, match="another place"):
        box.open(box.seal(b"secret", "connection/1/secret"), "connection/2/secret")


def test_a_value_of_another_purpose_does_not_open() -> None:
    with pytest.raises(SecretError):
        SecretBox(KEY, "b").open(SecretBox(KEY, "a").seal(b"secret", "place"), "place")


def test_another_secret_key_is_named_as_the_cause() -> None:
    with pytest.raises(SecretError, match="FLOWFORGE_SECRET_KEY"):
        SecretBox(OTHER_KEY, "a").open(SecretBox(KEY, "a").seal(b"secret", "place"), "place")


def test_an_older_key_still_opens_what_it_sealed() -> None:
    sealed = SecretBox(KEY, "a").seal(b"secret", "place")
    assert SecretBox(OTHER_KEY, "a", older_keys=(KEY,)).open(sealed, "place") == b"secret"


@pytest.mark.parametrize("position", [0, 3, 12, 25, -1])
def test_an_altered_byte_is_noticed(position: int) -> None:
    box = SecretBox(KEY, "a")
    sealed = bytearray(box.seal(b"a secret of some length", "place"))
    sealed[position] ^= 1
    with pytest.raises(SecretError):
        box.open(bytes(sealed), "place")


@pytest.mark.parametrize("length", [0, 5, 9, 15, 30])
def test_a_truncated_value_is_noticed(length: int) -> None:
    box = SecretBox(KEY, "a")
    with pytest.raises(SecretError):
        box.open(box.seal(b"secret", "place")[:length], "place")


def test_keys_of_two_purposes_differ() -> None:
    assert derive_key(KEY, "a") != derive_key(KEY, "b")


@pytest.mark.parametrize("text", ["", "short", "!!!", base64.b64encode(bytes(31)).decode()])
def test_a_key_that_is_no_32_bytes_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(SettingError, match="openssl rand"):
        decode_secret_key(text)


def test_both_alphabets_and_missing_padding_are_accepted() -> None:
    key = bytes([251, 255] * 16)
    assert decode_secret_key(base64.urlsafe_b64encode(key).decode().rstrip("=")) == key
    assert decode_secret_key(base64.b64encode(key).decode()) == key


def test_a_box_follows_the_rotation_of_keys_that_are_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.write_text(KEY)
    box = SecretBox(SecretKeys(Settings(data_dir=str(tmp_path))), "a")
    sealed = box.seal(b"secret", "place")
    file.write_text(f"{OTHER_KEY}\n{KEY}")
    other = SecretBox(OTHER_KEY, "a")
    assert box.open(other.seal(b"from elsewhere", "place"), "place") == b"from elsewhere"
    assert box.open(sealed, "place") == b"secret"
    assert other.open(box.seal(b"anew", "place"), "place") == b"anew"


def test_older_keys_of_the_environment_open_what_they_sealed() -> None:
    sealed = SecretBox(KEY, "a").seal(b"secret", "place")
    box = SecretBox(SecretKeys(Settings(secret_key=OTHER_KEY, older_secret_keys=f" {KEY} ,")), "a")
    assert box.open(sealed, "place") == b"secret"
    assert SecretBox(OTHER_KEY, "a").open(box.seal(b"anew", "place"), "place") == b"anew"


def test_a_digest_tells_its_message_again_and_no_other() -> None:
    digests = SecretDigests(SecretKeys(Settings(secret_key=KEY)), "requests")
    made = digests.make(b"a guess")
    assert digests.is_of(made, b"a guess")
    assert not digests.is_of(made, b"another guess")
    assert not digests.is_of(made[:-1] + bytes([made[-1] ^ 1]), b"a guess")
    assert digests.make(b"a guess") == made
    assert len(made) == 41


def test_a_digest_tells_nothing_without_its_key_and_purpose() -> None:
    made = SecretDigests(SecretKeys(Settings(secret_key=KEY)), "requests").make(b"a guess")
    assert not SecretDigests(SecretKeys(Settings(secret_key=OTHER_KEY)), "requests").is_of(made, b"a guess")
    assert not SecretDigests(SecretKeys(Settings(secret_key=KEY)), "others").is_of(made, b"a guess")
    assert not SecretDigests(SecretKeys(Settings(secret_key=KEY)), "requests").is_of(b"", b"a guess")


def test_digests_follow_a_rotation_and_know_the_older_key_until_it_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "secret.key"
    file.write_text(KEY)
    digests = SecretDigests(SecretKeys(Settings(data_dir=str(tmp_path))), "requests")
    made = digests.make(b"a guess")
    file.write_text(f"{OTHER_KEY}\n{KEY}")
    renewed = digests.make(b"a guess")
    assert renewed != made
    assert digests.is_of(made, b"a guess")
    file.write_text(OTHER_KEY)
    assert digests.make(b"a guess") == renewed
    assert not digests.is_of(made, b"a guess")
