"""What a request becomes, and what names its delivery."""

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.triggers.bodies import read_body
from engine.triggers.signatures import GithubAuth
from engine.triggers.webhook import (
    DedupError,
    WebhookConfig,
    describe_request,
    find_config_problems,
    make_dedup_key,
    split_secret,
)


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        pytest.param("application/json", b'{"a": 1}', {"a": 1}, id="json"),
        pytest.param("text/plain", b"[1]", [1], id="json by another name"),
        pytest.param("application/json", b"{broken", "{broken", id="no json"),
        pytest.param("application/json", b"\xff\xfe", "\ufffd\ufffd", id="no text"),
        pytest.param(
            "application/x-www-form-urlencoded", b"a=1&b=2&b=3&c=", {"a": "1", "b": ["2", "3"], "c": ""}, id="form"
        ),
        pytest.param("", b"", None, id="nothing"),
    ],
)
def test_bodies_are_read_as_what_they_are(content_type: str, body: bytes, expected: Any) -> None:
    assert read_body(content_type, body).value == expected


def test_credentials_do_not_become_data_of_the_run() -> None:
    headers = {"authorization": "Bearer x", "cookie": "a=b", "x-api-key": "k", "x-event": "push"}
    described = describe_request(
        method="POST", headers=headers, query={}, body=b"", received_at=datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert described.seen["headers"] == described.kept["headers"] == {"x-event": "push"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"webhook-id": "w", "x-github-delivery": "g"}, "w", id="standard webhooks first"),
        pytest.param({"x-github-delivery": "g", "idempotency-key": "i"}, "g", id="github"),
        pytest.param({"idempotency-key": "i"}, "i", id="idempotency key"),
        pytest.param({"webhook-id": ""}, None, id="empty"),
        pytest.param({}, None, id="none"),
    ],
)
def test_the_senders_id_names_the_delivery(headers: dict[str, str], expected: str | None) -> None:
    assert make_dedup_key(WebhookConfig(), headers, {"body": None}) == expected


def test_an_expression_names_the_delivery_instead() -> None:
    config = WebhookConfig(dedup_key="trigger.body.id")
    assert make_dedup_key(config, {"webhook-id": "w"}, {"body": {"id": 7}}) == "7"
    assert make_dedup_key(config, {}, {"body": {"id": None}}) is None
    assert make_dedup_key(config, {}, {"body": {"id": ""}}) is None
    with pytest.raises(DedupError):
        make_dedup_key(config, {}, {"body": {}})


def test_long_and_odd_keys_stay_distinct_and_storable() -> None:
    keys = {
        make_dedup_key(WebhookConfig(), {"webhook-id": text}, {}) for text in ("a" * 600 + "1", "a" * 600 + "2", "a\0")
    }
    assert len(keys) == 3
    assert all(key is not None and len(key) < 100 and "\0" not in key for key in keys)


def test_a_secret_is_asked_for_once_and_kept_apart() -> None:
    with_secret = WebhookConfig(auth=GithubAuth(secret="12345678"))
    assert find_config_problems(with_secret, has_secret=False) == []
    bare, secret = split_secret(with_secret)
    assert (bare.auth, secret) == (GithubAuth(), "12345678")
    assert [problem.code for problem in find_config_problems(bare, has_secret=False)] == ["secret_required"]
    assert find_config_problems(bare, has_secret=True) == []


@pytest.mark.parametrize(("source", "code"), [("1 +", "expression_syntax"), ("steps.a.output", "unknown_name")])
def test_a_faulty_dedup_key_is_told(source: str, code: str) -> None:
    problems = find_config_problems(WebhookConfig(dedup_key=source), has_secret=False)
    assert [(problem.pointer, problem.code) for problem in problems] == [("/config/dedup_key", code)]
