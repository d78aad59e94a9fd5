"""Signed webhooks, checked against independent signers."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from engine.triggers.signatures import (
    GithubAuth,
    HmacAuth,
    InvalidSecret,
    StandardWebhooksAuth,
    check_secret,
    is_authentic,
)

BODY = '{"zip": "ü"}'.encode()
NOW = 1_800_000_000.0
SECRET = "whsec_" + base64.b64encode(b"0" * 32).decode()


def sign_standard(
    secret: str = SECRET, *, at: float = NOW, message_id: str = "msg_1", body: bytes = BODY
) -> dict[str, str]:
    signature = Webhook(secret).sign(message_id, datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": message_id, "webhook-timestamp": str(int(at)), "webhook-signature": signature}


def is_standard(headers: dict[str, str], *secrets: str, body: bytes = BODY) -> bool:
    return is_authentic(StandardWebhooksAuth(), secrets or [SECRET], headers, body, now=NOW)


def test_a_standard_webhook_is_authentic() -> None:
    assert is_standard(sign_standard())


@pytest.mark.parametrize(
    ("at", "expected"), [(NOW - 299, True), (NOW + 299, True), (NOW - 301, False), (NOW + 301, False)]
)
def test_a_standard_webhook_is_good_for_five_minutes_either_way(at: float, expected: bool) -> None:
    assert is_standard(sign_standard(at=at)) is expected


def test_any_of_several_signatures_and_secrets_will_do() -> None:
    other = "whsec_" + base64.b64encode(b"1" * 32).decode()
    headers = sign_standard(other)
    assert not is_standard(headers)
    assert is_standard(headers, SECRET, other)
    headers["webhook-signature"] = "v1,AAAA v9,BBBB " + headers["webhook-signature"]
    assert is_standard(headers, other)


@pytest.mark.parametrize(
    "spoil",
    [
        {"webhook-id": ""},
        {"webhook-id": "msg.1"},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "1" * 400},
        {"webhook-timestamp": "١٨٠٠٠٠٠٠٠٠"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,é"},
    ],
)
def test_a_spoilt_standard_webhook_is_refused(spoil: dict[str, str]) -> None:
    assert not is_standard({**sign_standard(), **spoil})
    assert not is_standard({name: value for name, value in sign_standard().items() if name not in spoil})


def test_another_body_is_refused() -> None:
    assert not is_standard(sign_standard(), body=BODY + b" ")


def test_github_signs_the_body_with_sha256() -> None:
    # The example of GitHub's documentation.
    headers = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    secret, body = "It's a Secret to Everybody", b"Hello, World!"
    assert is_authentic(GithubAuth(), [secret], headers, body, now=NOW)
    assert not is_authentic(GithubAuth(), [secret], headers, body + b"!", now=NOW)
    assert not is_authentic(GithubAuth(), [secret], {"x-hub-signature": "sha1=00"}, body, now=NOW)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_a_plain_hmac_takes_any_form(algorithm: str, encoding: str) -> None:
    digest = hmac.new(b"12345678", BODY, getattr(hashlib, algorithm)).digest()
    text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    auth = HmacAuth(header="X-Sign", algorithm=algorithm, encoding=encoding, prefix="s=")  # type: ignore[arg-type]  # parametrized
    assert is_authentic(auth, ["12345678"], {"x-sign": f"s={text}"}, BODY, now=NOW)
    assert not is_authentic(auth, ["12345678"], {"x-sign": text}, BODY, now=NOW)
    assert not is_authentic(auth, ["87654321"], {"x-sign": f"s={text}"}, BODY, now=NOW)
    assert not is_authentic(auth, [], {"x-sign": f"s={text}"}, BODY, now=NOW)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "whsec_" + base64.b64encode(b"short").decode()])
def test_a_standard_secret_needs_its_form(secret: str) -> None:
    with pytest.raises(InvalidSecret):
        check_secret(StandardWebhooksAuth(), secret)
