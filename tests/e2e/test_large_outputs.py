"""Outputs that are too large for a run's history: what readers see, where the rest is, and how large is too large."""

import json
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.e2e.client import Client, Document, assert_problem, step_of
from tests.e2e.database import Database
from tests.e2e.steps import ONCE, Step, define, delay, foreach, http, of_type, transform
from tests.e2e.target import Reply, Target
from tests.product import Product

KIB, MIB = 1024, 1024 * 1024
INLINE = 64 * KIB
# As much as a list, an event or a run may have that shows nothing of a large output but its beginning.
SMALL = 20_000


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Product]) -> Product:
    """A product that takes large answers, and keeps no wait of over 0.2 s in memory."""
    return start_product(settings={"FLOWFORGE_HTTP_MAX_BODY": str(20 * MIB), "FLOWFORGE_SUSPEND_AFTER_SECONDS": "0.2"})


def text(size: int) -> str:
    """A text that has `size` bytes as JSON, and of which no part is like another."""
    numbers = "".join(f"{n:07d};" for n in range(size // 8 + 1))
    return numbers[: size - 2]


def fetch(target: Target, value: Any) -> Step:
    """A step whose answer has this body."""
    target.plan("/large", Reply(value=value))
    return http("fetch", target.base + "/large", retry=ONCE)


def finish(client: Client, definition: Document, given: Any = None) -> Document:
    return client.finish(client.publish(definition).id, {"input": given})


def payload(client: Client, run_id: str, ref: str, **headers: str) -> httpx.Response:
    return client.http.get(f"/v1/runs/{run_id}/payloads/{ref}", headers=headers)


def test_a_large_output_is_shown_by_its_beginning_its_size_and_where_it_is(client: Client, target: Target) -> None:
    value = {"rows": text(300_000), "last": "the end"}
    run = finish(client, define(fetch(target, value), output="{{ steps.fetch.output }}"))
    seen = step_of(run, "fetch")["output"]
    assert seen.keys() == run["output"].keys() == {"preview", "size", "ref"}
    answer = payload(client, run["id"], seen["ref"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    whole = answer.json()
    assert whole["body"] == value
    assert seen["size"] == len(answer.content) > 300_000
    assert answer.text.startswith(seen["preview"])
    assert len(seen["preview"]) == 1000
    assert payload(client, run["id"], run["output"]["ref"]).json() == whole
    etag = answer.headers["etag"]
    again = payload(client, run["id"], seen["ref"], **{"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(("size", "is_inline"), [(INLINE, True), (INLINE + 1, False)])
def test_up_to_64_kib_an_output_is_shown_whole(client: Client, target: Target, size: int, is_inline: bool) -> None:
    # Only the text itself, without the rest of the answer.
    definition = define(
        fetch(target, text(size)),
        foreach("each", "[1]", transform("a"), after=["fetch"], output="{{ steps.fetch.output.body }}"),
        output="{{ steps.fetch.output.body }}",
    )
    run = finish(client, definition)
    assert isinstance(run["output"], str) is is_inline
    assert is_inline or run["output"]["size"] == size


def test_lists_events_and_streams_never_carry_it(client: Client, target: Target) -> None:
    loop = foreach("each", "[1, 2]", transform("copy", it="{{ steps.fetch.output.body }}"), after=["fetch"])
    run = finish(client, define(fetch(target, text(200_000)), loop, output="{{ steps.fetch.output.body }}"))
    assert run["status"] == "succeeded"
    for path in ("", "/events", "/steps?parent=each"):
        answer = client.http.get(f"/v1/runs/{run['id']}{path}")
        assert (answer.status_code, len(answer.content) < SMALL) == (200, True), path
    listed = client.http.get("/v1/runs", params={"workflow_id": run["workflow_id"]})
    assert "output" not in listed.json()["items"][0]
    assert len(listed.content) < SMALL
    with client.stream(f"/v1/runs/{run['id']}/stream") as frames:
        seen = [frame.data for frame in frames]
    assert len(json.dumps(seen)) < SMALL
    (event,) = [event for event in client.events(run["id"]) if event["data"].get("step") == "fetch"]
    assert event["data"]["output"] == step_of(run, "fetch")["output"]
    items = client.read(f"/v1/runs/{run['id']}/steps", parent="each")["items"]
    for item in items:
        seen_of_item = item["steps"][0]["output"]
        assert payload(client, run["id"], seen_of_item["ref"]).json() == {"it": text(200_000)}


def test_steps_read_it_whole_also_after_the_run_has_left_memory(client: Client, target: Target) -> None:
    definition = define(
        fetch(target, {"rows": text(500_000), "n": 7}),
        transform("before", after=["fetch"], size="{{ size(steps.fetch.output.body.rows) }}"),
        delay("pause", 0.6, after=["before"]),
        transform("after", after=["pause"], size="{{ size(steps.fetch.output.body.rows) }}"),
        output="{{ steps.fetch.output.body.n }}",
    )
    run = finish(client, definition)
    assert (run["status"], run["output"]) == ("succeeded", 7)
    sizes = [step_of(run, step)["output"]["size"] for step in ("before", "after")]
    assert sizes == [499_998, 499_998]


def test_a_step_that_is_given_it_shows_how_it_was_configured(client: Client, target: Target) -> None:
    body = "{{ steps.fetch.output.body }}"
    send = http("send", target.base + "/send", method="POST", with_={"json": body}, after=["fetch"])
    run = finish(client, define(fetch(target, text(200_000)), send))
    (sent,) = target.received("/send")
    assert sent.json == text(200_000)
    assert step_of(run, "send")["input"]["json"] == body


@pytest.mark.parametrize("kind", ["http", "transform", "foreach", "item"])
def test_an_output_over_16_mib_fails_its_step_with_a_clear_error(client: Client, target: Target, kind: str) -> None:
    size = 17 * MIB if kind == "http" else MIB
    copies = {f"copy{n}": "{{ steps.fetch.output.body }}" for n in range(17)}
    steps = {
        "http": [],
        "transform": [of_type("transform", "large", {"values": copies}, after=["fetch"])],
        "foreach": [
            foreach(
                "large",
                "[" + ", ".join(["1"] * 17) + "]",
                transform("a"),
                after=["fetch"],
                output="{{ steps.fetch.output.body }}",
            )
        ],
        "item": [foreach("large", "[1]", of_type("transform", "a", {"values": copies}), after=["fetch"])],
    }[kind]
    large = "fetch" if kind == "http" else "large"
    rescue = transform("rescue", after=[f"{large}.error"], why="{{ steps." + large + ".error }}")
    run = finish(client, define(fetch(target, text(size)), *steps, rescue))
    step = step_of(run, large)
    assert (run["status"], step["status"], step["output"]) == ("succeeded", "failed", None)
    why = step_of(run, "rescue")["output"]["why"]
    if kind == "item":
        assert (why["code"], why["details"]["error"]["code"]) == ("item_failed", "output_too_large")
    else:
        assert (why["code"], step["reason"]) == ("output_too_large", "output_too_large")
    assert "16 MiB" in why["message"] or "16,777,216" in why["message"]
    assert len(target.received("/large")) == 1


def test_an_output_of_the_run_over_16_mib_fails_the_run(client: Client, target: Target) -> None:
    output = ["{{ steps.fetch.output.body }}"] * 17
    run = finish(client, define(fetch(target, text(MIB)), output=output))
    assert (run["status"], run["reason"], run["error"]["code"]) == ("failed", "output_error", "output_error")
    assert "16 MiB" in run["error"]["message"]
    assert step_of(run, "fetch")["status"] == "succeeded"


def test_outputs_over_256_mib_together_fail_the_run_with_a_clear_error(client: Client, target: Target) -> None:
    copies = {f"copy{n}": "{{ steps.fetch.output.body }}" for n in range(15)}
    makers = [
        of_type("transform", f"t{n}", {"values": copies}, after=[f"t{n - 1}" if n else "fetch"]) for n in range(18)
    ]
    run = client.finish(client.publish(define(fetch(target, "x" * MIB), *makers)).id)
    assert (run["status"], run["reason"], run["error"]["code"]) == ("failed", "run_too_large", "run_too_large")
    assert "256 MiB" in run["error"]["message"] or "268,435,456" in run["error"]["message"]
    assert "succeeded" not in {step["status"] for step in run["steps"][-2:]}
    assert len(target.received("/large")) == 1
    # The worker goes on with others.
    assert finish(client, define(transform("a")))["status"] == "succeeded"


def test_what_is_no_output_of_the_run_is_not_found(client: Client, target: Target, product: Product) -> None:
    run = finish(client, define(fetch(target, text(100_000))))
    other = finish(client, define(transform("a", x=1)))
    ref = step_of(run, "fetch")["output"]["ref"]
    assert payload(client, run["id"], ref).status_code == 200
    assert_problem(payload(client, other["id"], ref), 404, "not_found")
    for unknown in (str(uuid.uuid4()), "0", "999", "1", "x", "99999999999999999999"):
        assert_problem(payload(client, run["id"], unknown), 404, "not_found")
    database = Database(lambda: product.run["postgres"]["url"])
    with closing(Client(product.url)) as stranger:
        stranger.sign_in(database.add_member(database.add_workspace(), "owner"))
        assert_problem(payload(stranger, run["id"], ref), 404, "not_found")
