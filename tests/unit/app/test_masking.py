"""What is masked of the payloads that a builder is shown."""

import msgspec
import pytest

from app.triggers.masking import MASK, mask, mask_text, take_beginning
from app.triggers.received import LARGEST_SHOWN, show_payload

SECRETS = (
    "password Passwd user_pwd passcode client_secret x-gitlab-token apiKey api-key access_key AuthKey signing_key "
    "session_id set-cookie jwt bearer x-hub-signature-256 credentials pass auth X-Sign sig x-shopify-hmac-sha256 "
    "otp_code pin cvv card_number x-functions-key"
)
# As they would come; none of them is one.
WEB_TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.c2lnbmVk"


@pytest.mark.parametrize("name", SECRETS.split())
def test_what_has_the_name_of_a_secret_is_masked(name: str) -> None:
    assert mask({"a": [{name: "hunter2"}, {name: ["k"]}]}) == {"a": [{name: MASK}, {name: MASK}]}
    # That there is none is no secret.
    assert mask({name: None}) == {name: None}


@pytest.mark.parametrize(
    "name", ["key", "pass_through", "name", "author", "session", "keyword", "id", "design", "shipping", "sign_up_at"]
)
def test_what_has_another_name_is_shown(name: str) -> None:
    assert mask({name: "7"}) == {name: "7"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("token=abc&page=2", "token=***&page=2", id="a query or a form"),
        pytest.param('{"password": "abc", "n": 1}', '{"password": "***", "n": 1}', id="JSON in a text"),
        pytest.param('{\\"token\\":\\"abc\\"}', '{\\"token\\":\\"***\\"}', id="JSON in JSON"),
        pytest.param("password : 'abc def' and on", "password : '***' and on", id="a quoted value"),
        pytest.param(f"sent by {WEB_TOKEN}, it says", "sent by ***, it says", id="a web token"),
        pytest.param(WEB_TOKEN[:30], "***", id="half of a web token"),
        pytest.param(
            "GET / HTTP/1.1\r\nCookie: a=b; c=d\r\nHost: x", "GET / HTTP/1.1\r\nCookie:***\r\nHost: x", id="cookies"
        ),
        pytest.param("authorization: Digest username=ann", "authorization:***", id="a digest"),
        pytest.param("it used Basic YW5uOmFubg== for it", "it used Basic *** for it", id="basic credentials"),
        pytest.param("BEARER 0123456789abcdef", "BEARER ***", id="bearer credentials"),
        pytest.param(
            "https://ann:abc@shop.example/a?sig=abc&n=1", "https://***@shop.example/a?sig=***&n=1", id="an address"
        ),
        pytest.param("the key is " + "gh" + "p_0123456789abcdef", "the key is ***", id="a key that says whose it is"),
        pytest.param(
            "-----BEGIN PRIVATE" + " KEY-----\nMIIE\n-----END PRIVATE" + " KEY-----", "***", id="a private key"
        ),
    ],
)
def test_what_looks_like_a_secret_is_masked_in_any_text_and_name(text: str, shown: str) -> None:
    assert mask_text(text) == shown
    # A name with the name of a secret in it, and nothing under it.
    assert mask([{"note": text}, {text: None}]) == [{"note": shown}, {shown: None}]


@pytest.mark.parametrize(
    "text",
    [
        "The signature is fine: yes",
        "https://shop.example:8080/orders/7?page=2#top",
        "at 10:30:11 it was basic and the bearer left",
        "shipping=3;design=bold",
        "ghost stories about eyJafjalla",
    ],
)
def test_what_is_no_secret_is_shown_as_it_is(text: str) -> None:
    assert mask_text(text) == text


def test_of_a_large_value_the_beginning_is_taken_with_its_names() -> None:
    value = {"a": "x" * 50, "list": [{"token": "abc"}, "y" * 100, "beyond"], "beyond": 1}
    assert take_beginning(value, 80) == {"a": "x" * 50, "list": [{"token": "abc"}, "y" * 17]}
    assert take_beginning(value, 10_000) == value
    assert take_beginning(7, 10) == 7


@pytest.mark.parametrize("text", ["=" * 200_000, "a:" * 100_000, "eyJ" * 70_000, "://" + "a" * 200_000, "x " * 100_000])
def test_no_text_takes_longer_than_its_length(text: str) -> None:
    """One that is looked at again and again from each of its places would take hours, and run into the test's end."""
    assert len(mask_text(text)) <= len(text)


def test_no_secret_is_shown_of_a_large_body_either() -> None:
    body = {"password": "abc", "tokens": ["abc"], "note": f"token=abc {WEB_TOKEN}", "rest": "y" * LARGEST_SHOWN}
    shown = show_payload(msgspec.Raw(msgspec.json.encode(body)))
    assert shown["size"] > LARGEST_SHOWN
    assert shown["preview"].startswith('{"password":"***","tokens":"***","note":"token=*** ***","rest":"yyy')
    assert len(shown["preview"]) == 2000
