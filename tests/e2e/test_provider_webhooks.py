"""Webhooks as providers send them: each of GitHub's examples, and what the signers of Stripe, Slack and Svix make."""

import hashlib
import hmac
import json
import lzma
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from svix.webhooks import Webhook as SvixWebhook

from tests.e2e.client import Client, Deliver, Document, Published, assert_problem
from tests.e2e.database import Database
from tests.e2e.steps import define, transform
from tests.product import ROOT, wait_for

Publish = Callable[..., Published]
SECRET = "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA="
ECHO = define(transform("keep", body="{{ trigger.body }}"))
EXAMPLES: list[dict[str, Any]] = json.loads(
    lzma.decompress((ROOT / "tests" / "resources" / "github_payloads.json.xz").read_bytes())
)


def sign(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def test_every_example_payload_of_github_is_accepted_verified_and_kept_byte_by_byte(
    client: Client, publish_workflow: Publish, deliver: Deliver, database: Database
) -> None:
    assert len(EXAMPLES) == 329
    published = publish_workflow(ECHO, config={"auth": {"type": "github", "secret": SECRET}})
    sent: dict[str, bytes] = {}
    for number, example in enumerate(EXAMPLES):
        # As GitHub sends it, and every third one spread over lines, which must be kept as well.
        indent, separators = (1, None) if number % 3 == 2 else (None, (",", ":"))
        body = json.dumps(example["payload"], ensure_ascii=False, indent=indent, separators=separators).encode()
        headers = {"x_github_event": example["event"], "x_github_delivery": f"{published.id}-{number}"}
        answer = deliver(published.hook, body, x_hub_signature_256=f"sha256={sign(body)}", **headers)
        assert answer.status_code == 202, (example["event"], answer.text)
        sent[answer.json()["run_id"]] = body
        forged = deliver(published.hook, body + b" ", x_hub_signature_256=f"sha256={sign(body)}", **headers)
        assert_problem(forged, 401, "invalid_signature")
    assert len(sent) == len(EXAMPLES)
    kept = database.fetch(
        "SELECT run_id, payload FROM journal WHERE run_id = ANY ($1::uuid[]) AND seq = 1",
        [uuid.UUID(run_id) for run_id in sent],
    )
    assert len(kept) == len(EXAMPLES)
    for row in kept:
        body = sent[str(row["run_id"])]
        assert b'"body":' + body + b"," in row["payload"]
        # And so it is read: not another value by another notation.
        assert json.loads(row["payload"])["trigger"]["body"] == json.loads(body)
    last = client.wait_for_end(list(sent)[-1])
    assert last["trigger"]["headers"]["x-github-event"] == EXAMPLES[-1]["event"]
    wait_for(lambda: _have_succeeded(database, published.id), seconds=90, what="end of all runs")


def _have_succeeded(database: Database, workflow_id: str) -> bool:
    rows = database.fetch(
        "SELECT status, count(*) AS runs FROM run WHERE workflow_id = $1 GROUP BY 1", uuid.UUID(workflow_id)
    )
    assert {row["status"] for row in rows} <= {"queued", "running", "succeeded"}
    return rows == [{"status": "succeeded", "runs": len(EXAMPLES)}]


@pytest.mark.parametrize(
    "body",
    [
        b'{ "a" : 1.0, "b":[1E2 , -0.0],\r\n\t"c": "\\u00fc\\/" }',
        b'{"twice": 1, "twice": 2}',
        b'{"n": 123456789012345678901234567890, "x": 0.1000000000000000055511151231257827}',
        '["ü", "\U0001f600", "\\u0000"]'.encode(),
    ],
    ids=["notation", "a name that comes twice", "many digits", "characters"],
)
def test_a_json_body_is_kept_byte_by_byte(
    client: Client, publish_workflow: Publish, deliver: Deliver, database: Database, body: bytes
) -> None:
    run_id = deliver(publish_workflow(ECHO).hook, body).json()["run_id"]
    (row,) = database.fetch("SELECT payload FROM journal WHERE run_id = $1 AND seq = 1", uuid.UUID(run_id))
    assert b'"body":' + body + b"," in row["payload"]
    run = client.wait_for_end(run_id)
    assert (run["status"], run["trigger"]["body"]) == ("succeeded", json.loads(body))


def sign_stripe(body: str) -> Document:
    at = int(time.time())
    signature = stripe.WebhookSignature._compute_signature(f"{at}.{body}", SECRET)
    return {"stripe_signature": f"t={at},v1={signature}"}


def sign_slack(body: str) -> Document:
    at = int(time.time())
    signature = hmac.new(SECRET.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()
    return {"x_slack_request_timestamp": str(at), "x_slack_signature": f"v0={signature}"}


def sign_svix(body: str) -> Document:
    now = datetime.now(UTC)
    message_id = "msg_" + uuid.uuid5(uuid.NAMESPACE_OID, body).hex
    signature = SvixWebhook(SECRET).sign(message_id, now, body)
    return {"svix_id": message_id, "svix_timestamp": str(int(now.timestamp())), "svix_signature": signature}


@pytest.mark.parametrize(
    ("kind", "sign_body", "body"),
    [
        ("stripe", sign_stripe, '{"id": "evt_1", "type": "charge.succeeded"}'),
        ("slack", sign_slack, '{"type": "event_callback", "event_id": "Ev1", "event": {"text": "Größe"}}'),
        ("standard_webhooks", sign_svix, '{"type": "user.created"}'),
    ],
    ids=["stripe", "slack", "svix"],
)
def test_a_providers_delivery_is_taken_once_by_its_own_id(
    client: Client, publish_workflow: Publish, deliver: Deliver, kind: str, sign_body: Any, body: str
) -> None:
    hook = publish_workflow(ECHO, config={"auth": {"type": kind, "secret": SECRET}}).hook
    # Delivered again, it is signed anew.
    first, second = (deliver(hook, body, **sign_body(body)) for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 200), second.text
    assert first.json()["run_id"] == second.json()["run_id"]
    assert client.wait_for_end(first.json()["run_id"])["trigger"]["body"] == json.loads(body)
    assert_problem(deliver(hook, body + " ", **sign_body(body)), 401, "invalid_signature")


def test_a_form_of_slacks_commands_is_verified_over_its_bytes(
    client: Client, publish_workflow: Publish, deliver: Deliver
) -> None:
    hook = publish_workflow(ECHO, config={"auth": {"type": "slack", "secret": SECRET}}).hook
    body = "command=%2Fdeploy&text=shop+now&response_url=https%3A%2F%2Fhooks.example%2F1"
    answer = deliver(hook, body, content_type="application/x-www-form-urlencoded", **sign_slack(body))
    run = client.wait_for_end(answer.json()["run_id"])
    assert run["trigger"]["body"] == {
        "command": "/deploy",
        "text": "shop now",
        "response_url": "https://hooks.example/1",
    }
