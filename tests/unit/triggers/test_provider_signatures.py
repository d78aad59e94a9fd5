"""What providers' own libraries sign is authentic; what was changed, is old, or is signed by a weaker scheme is not."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import stripe
from standardwebhooks.webhooks import Webhook as StandardWebhook
from svix.webhooks import Webhook as SvixWebhook

from engine.triggers.signatures import (
    BasicAuth,
    BearerAuth,
    GithubAuth,
    HmacAuth,
    InvalidSecret,
    SlackAuth,
    StandardWebhooksAuth,
    StripeAuth,
    WebhookAuth,
    check_secret,
    find_signing_fault,
    is_authentic,
    renew_secret,
)
from tests.product import ROOT

BODY = '{"id": "evt_1", "zip": "ü"}'.encode()
NOW = 1_800_000_000
SECRET = "whsec_" + base64.b64encode(b"0" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"1" * 32).decode()

Headers = dict[str, str]
Sign = Callable[..., Headers]


def sign_standard(secret: str = SECRET, at: int = NOW, body: bytes = BODY) -> Headers:
    signature = StandardWebhook(secret).sign("msg_1", datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signature}


def sign_svix(secret: str = SECRET, at: int = NOW, body: bytes = BODY) -> Headers:
    signature = SvixWebhook(secret).sign("msg_1", datetime.fromtimestamp(at, UTC), body.decode())
    return {"svix-id": "msg_1", "svix-timestamp": str(at), "svix-signature": signature}


def sign_stripe(secret: str = SECRET, at: int = NOW, body: bytes = BODY) -> Headers:
    signature = stripe.WebhookSignature._compute_signature(f"{at}.{body.decode()}", secret)
    headers = {"stripe-signature": f"t={at},v1={signature},v0={'0' * 64}"}
    assert stripe.WebhookSignature.verify_header(body.decode(), headers["stripe-signature"], secret)
    return headers


def sign_slack(secret: str = SECRET, at: int = NOW, body: bytes = BODY) -> Headers:
    # The library of Slack is made for apps; this is its `SignatureVerifier.generate_signature`.
    signature = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": str(at), "x-slack-signature": f"v0={signature}"}


def sign_github(secret: str = SECRET, at: int = NOW, body: bytes = BODY) -> Headers:
    del at
    return {"x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def sign_timed(secret: str = SECRET, at: int = NOW, body: bytes = BODY) -> Headers:
    signature = hmac.new(secret.encode(), b"v0:%d:" % at + body + b";", hashlib.sha512).digest()
    return {"x-sent": str(at), "x-sign": "v0=" + base64.b64encode(signature).decode()}


TIMED = HmacAuth(
    header="X-Sign",
    algorithm="sha512",
    encoding="base64",
    prefix="v0=",
    timestamp_header="X-Sent",
    tolerance=300,
    signed="v0:{timestamp}:{body};",
)
KINDS = [
    pytest.param(StandardWebhooksAuth(), sign_standard, id="standardwebhooks"),
    pytest.param(StandardWebhooksAuth(), sign_svix, id="svix"),
    pytest.param(StripeAuth(), sign_stripe, id="stripe"),
    pytest.param(SlackAuth(), sign_slack, id="slack"),
    pytest.param(GithubAuth(), sign_github, id="github"),
    pytest.param(TIMED, sign_timed, id="hmac with a time"),
]
TIMED_KINDS = [kind for kind in KINDS if kind.id != "github"]


# What @octokit/webhooks-methods has signed: see the README beside it.
SIGNED_BY_OCTOKIT: list[dict[str, str]] = json.loads(
    (ROOT / "tests" / "resources" / "github_signatures.json").read_text(encoding="utf-8")
)


def accepts(auth: WebhookAuth, headers: Headers, *secrets: str, body: bytes = BODY) -> bool:
    return is_authentic(auth, secrets or (SECRET,), headers, body, now=float(NOW))


@pytest.fixture(autouse=True)
def stripes_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    # Stripe's own check looks at the clock of the machine.
    monkeypatch.setattr("stripe._webhook.time.time", lambda: float(NOW))


@pytest.mark.parametrize(("auth", "sign"), KINDS)
def test_what_the_provider_signs_is_authentic_under_either_of_two_secrets(auth: WebhookAuth, sign: Sign) -> None:
    assert accepts(auth, sign())
    assert accepts(auth, sign(SECRET), OTHER, SECRET)
    assert accepts(auth, sign(OTHER), OTHER, SECRET)
    assert not accepts(auth, sign(OTHER))
    assert not is_authentic(auth, [], sign(), BODY, now=float(NOW))


@pytest.mark.parametrize("signed", SIGNED_BY_OCTOKIT, ids=lambda signed: signed["signature"][7:15])
def test_what_octokit_signs_is_authentic_under_its_own_secret_alone(signed: dict[str, str]) -> None:
    headers, body = {"x-hub-signature-256": signed["signature"]}, signed["body"].encode()
    for secret in {other["secret"] for other in SIGNED_BY_OCTOKIT}:
        assert accepts(GithubAuth(), headers, secret, body=body) is (secret == signed["secret"])
    assert not accepts(GithubAuth(), headers, signed["secret"], body=body + b" ")


@pytest.mark.parametrize(("auth", "sign"), KINDS)
def test_every_flipped_bit_of_the_body_or_the_signature_is_noticed(auth: WebhookAuth, sign: Sign) -> None:
    headers = sign()
    for position in range(len(BODY) * 8):
        flipped = bytearray(BODY)
        flipped[position // 8] ^= 1 << position % 8
        assert not accepts(auth, headers, body=bytes(flipped)), position
    name = next(name for name in headers if "sign" in name)
    end = len(headers[name]) - (len(",v0=") + 64 if isinstance(auth, StripeAuth) else 0)
    for position in range(end):
        for bit in range(7):
            text = headers[name]
            spoilt = text[:position] + chr(ord(text[position]) ^ 1 << bit) + text[position + 1 :]
            if spoilt.lower() == text:
                # Hexadecimal digits in capitals are the same digits.
                continue
            assert not accepts(auth, {**headers, name: spoilt}), spoilt


@pytest.mark.parametrize(("auth", "sign"), TIMED_KINDS)
@pytest.mark.parametrize(("seconds", "expected"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_a_signature_is_good_for_five_minutes_either_way(
    auth: WebhookAuth, sign: Sign, seconds: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stripe._webhook.time.time", lambda: float(NOW + seconds))
    assert accepts(auth, sign(at=NOW + seconds)) is expected


@pytest.mark.parametrize(("auth", "sign"), KINDS)
def test_a_header_that_is_missing_or_empty_or_strange_is_refused(auth: WebhookAuth, sign: Sign) -> None:
    headers = sign()
    for name in headers:
        assert not accepts(auth, {other: value for other, value in headers.items() if other != name})
        for value in ("", " ", ",", "=", "t=", "v1=", "é", "9" * 400, "٣", "\0"):
            assert not accepts(auth, {**headers, name: value}), (name, value)


@pytest.mark.parametrize(
    ("auth", "headers"),
    [
        pytest.param(
            GithubAuth(),
            {"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()},
            id="github by SHA-1",
        ),
        pytest.param(
            StripeAuth(),
            {"stripe-signature": sign_github()["x-hub-signature-256"].replace("sha256=", f"t={NOW},v1=")},
            id="stripe without the time under the signature",
        ),
        pytest.param(
            SlackAuth(),
            {**sign_slack(), "x-slack-signature": sign_slack()["x-slack-signature"].replace("v0=", "v1=")},
            id="slack by another version",
        ),
        pytest.param(
            StandardWebhooksAuth(),
            {**sign_standard(), "webhook-signature": sign_standard()["webhook-signature"].replace("v1,", "v0,")},
            id="standard by another version",
        ),
        pytest.param(TIMED, {"x-sent": str(NOW), "x-sign": "v0=" + "0" * 128}, id="hmac by hexadecimals"),
    ],
)
def test_a_weaker_scheme_is_passed_over(auth: WebhookAuth, headers: Headers) -> None:
    assert not accepts(auth, headers)


def test_stripes_scheme_of_tests_and_a_second_time_are_passed_over() -> None:
    header = sign_stripe()["stripe-signature"]
    signature = header.split("v1=")[1].split(",")[0]
    assert accepts(StripeAuth(), {"stripe-signature": f"t={NOW},v1=00,v1={signature}"})
    assert not accepts(StripeAuth(), {"stripe-signature": f"t={NOW},v0={signature}"})
    assert not accepts(StripeAuth(), {"stripe-signature": f"t={NOW},t={NOW - 9999},v1={signature}"})


def test_a_timed_hmac_takes_milliseconds_as_well() -> None:
    auth = HmacAuth(timestamp_header="X-Time")
    sent = f"{NOW}123"
    signature = hmac.new(SECRET.encode(), f"{sent}.".encode() + BODY, hashlib.sha256).hexdigest()
    assert accepts(auth, {"x-time": sent, "x-signature": signature})
    assert accepts(auth, {"x-time": sent, "x-signature": signature.upper()})
    assert not accepts(auth, {"x-time": f"{NOW - 301}123", "x-signature": signature})


@pytest.mark.parametrize("signed", ["{body}", "{timestamp}", "{timestamp}.{body}{body}", ""])
def test_a_timed_hmac_signs_time_and_body(signed: str) -> None:
    assert find_signing_fault(HmacAuth(timestamp_header="X-Time", signed=signed)) is not None
    assert find_signing_fault(HmacAuth(signed=signed)) is None


@pytest.mark.parametrize("auth", [BasicAuth(), BearerAuth()])
def test_credentials_match_as_a_whole(auth: WebhookAuth) -> None:
    secret = "user:pass:wörd" if isinstance(auth, BasicAuth) else "token~of+the/shop=="
    given = base64.b64encode(secret.encode()).decode() if isinstance(auth, BasicAuth) else secret
    scheme = "Basic" if isinstance(auth, BasicAuth) else "Bearer"
    assert accepts(auth, {"authorization": f"{scheme} {given}"}, secret)
    assert accepts(auth, {"authorization": f"{scheme.lower()}  {given}"}, "other:secret", secret)
    for wrong in (given, f"{scheme} {given[:-3]}", f"{scheme} {given}x", f"Digest {given}", f"{scheme} ", scheme, ""):
        assert not accepts(auth, {"authorization": wrong}, secret), wrong
    assert not accepts(auth, {}, secret)


@pytest.mark.parametrize(
    ("auth", "secret"),
    [
        (GithubAuth(), " " * 20),
        (BasicAuth(), "no-colon-here"),
        (BasicAuth(), ":password"),
        (BasicAuth(), "username:"),
        (BearerAuth(), "two words of it"),
        (BearerAuth(), "tökens-with-ö"),
        (StandardWebhooksAuth(), "not-base64!"),
    ],
)
def test_a_secret_that_can_never_match_is_refused(auth: WebhookAuth, secret: str) -> None:
    with pytest.raises(InvalidSecret):
        check_secret(auth, secret)


@pytest.mark.parametrize(("auth", "sign"), KINDS)
def test_a_renewed_secret_has_the_form_that_is_asked_for(auth: WebhookAuth, sign: Sign) -> None:
    renewed = renew_secret(auth, [SECRET], bytes(range(32)))
    check_secret(auth, renewed)
    assert accepts(auth, sign(renewed), renewed)


def test_a_renewed_password_keeps_its_user() -> None:
    renewed = renew_secret(BasicAuth(), ["shop:old:password"], bytes(range(32)))
    check_secret(BasicAuth(), renewed)
    assert renewed.startswith("shop:")
    check_secret(BearerAuth(), renew_secret(BearerAuth(), ["t0ken-of-the-shop"], bytes(range(32))))
