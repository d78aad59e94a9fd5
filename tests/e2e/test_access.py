"""Who may do what: without a token, with too weak a role, and from another workspace."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.client import Client, Deliver, Published, assert_problem
from tests.e2e.database import Database
from tests.e2e.steps import condition, define, delay
from tests.product import Product

Publish = Callable[..., Published]
SIMPLE = define(condition("always", "true"))


@pytest.fixture(scope="module")
def as_role(product: Product, client: Client, database: Database) -> Iterator[Callable[[str], Client]]:
    """A member of the main workspace with a role."""
    workspace_id = uuid.UUID(client.me()["workspace"]["id"])
    opened: dict[str, Client] = {}

    def sign_in(role: str) -> Client:
        if role not in opened:
            opened[role] = Client(product.url).sign_in(database.add_member(workspace_id, role))
        return opened[role]

    yield sign_in
    for each in opened.values():
        each.close()


class Things:
    """One of each thing that belongs to the main workspace."""

    def __init__(self, client: Client, deliver: Deliver) -> None:
        self.workflow = client.publish(define(delay("waits", 3600)))
        event = deliver(self.workflow.hook, "{}").json()
        self.event_id, self.run_id = event["event_id"], event["run_id"]
        client.wait_for_status(self.run_id, "waiting")

    def calls(self) -> list[tuple[str, str, object]]:
        """Method, path and body of every call on them, from the mildest on."""
        workflow, run = f"/v1/workflows/{self.workflow.id}", f"/v1/runs/{self.run_id}"
        trigger = f"/v1/triggers/{self.workflow.trigger_id}"
        return [
            ("GET", workflow, None),
            ("GET", workflow + "/versions", None),
            ("GET", workflow + "/versions/1", None),
            ("GET", workflow + "/triggers", None),
            ("GET", run, None),
            ("GET", run + "/events", None),
            ("GET", f"/v1/events/{self.event_id}", None),
            ("GET", trigger + "/events", None),
            ("GET", run + "/stream", None),
            ("POST", workflow + "/runs", {}),
            ("POST", run + "/cancel", None),
            ("POST", workflow + "/publish", None),
            ("POST", workflow + "/triggers", {"type": "webhook"}),
            ("PATCH", workflow, {"name": "Mine"}),
            ("PATCH", trigger, {"enabled": False}),
            ("POST", trigger + "/rotate", {"what": "url"}),
            ("DELETE", trigger, None),
            ("DELETE", workflow, None),
        ]


@pytest.fixture
def things(client: Client, deliver: Deliver) -> Iterator[Things]:
    made = Things(client, deliver)
    yield made
    client.http.post(f"/v1/runs/{made.run_id}/cancel")


def test_what_another_workspace_owns_is_not_found_and_stays_untouched(
    client: Client, stranger: Client, things: Things
) -> None:
    before = client.read(f"/v1/runs/{things.run_id}/events")
    for method, path, body in things.calls():
        answer = stranger.http.request(method, path, json=body, headers={"If-Match": "*"})
        assert_problem(answer, 404, "not_found")
    # The run itself tells how long it has been waiting; what has happened to it stays.
    assert client.read(f"/v1/runs/{things.run_id}/events") == before
    assert client.run(things.run_id)["status"] == "waiting"
    assert client.read(f"/v1/workflows/{things.workflow.id}/triggers")["items"][0]["url"] == things.workflow.hook


def test_lists_show_nothing_of_another_workspace(stranger: Client, things: Things) -> None:
    assert stranger.read("/v1/runs")["items"] == []
    assert stranger.read("/v1/runs", workflow_id=things.workflow.id)["items"] == []
    assert stranger.read("/v1/runs", q=things.run_id)["items"] == []
    assert stranger.read("/v1/workflows")["items"] == []


def test_the_stream_of_a_workspace_carries_nothing_of_another(
    client: Client, stranger: Client, publish_workflow: Publish
) -> None:
    ours, theirs = publish_workflow(SIMPLE), stranger.publish(SIMPLE)
    with stranger.stream("/v1/stream") as frames:
        client.finish(ours.id)
        run_id = stranger.start(theirs.id)
        first = next(frames)
        assert (first.event, first.data["run_id"]) == ("run.queued", run_id)


def test_without_a_token_nothing_is_open(anonymous: Client, things: Things) -> None:
    for method, path, body in [*things.calls(), ("GET", "/v1/runs", None), ("GET", "/v1/stream", None)]:
        assert_problem(anonymous.http.request(method, path, json=body), 401, "missing_token")


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "ü" * 10, "x" * 10_000])
def test_a_token_that_is_none_is_refused(anonymous: Client, token: str) -> None:
    headers = {b"authorization": b"Bearer " + token.encode()}
    assert_problem(anonymous.http.get("/v1/runs", headers=headers), 401, "invalid_token")


def test_a_viewer_reads_and_does_nothing_else(as_role: Callable[[str], Client], client: Client, things: Things) -> None:
    viewer = as_role("viewer")
    for method, path, body in things.calls():
        if path.endswith("/stream"):
            with viewer.stream(path) as frames:
                assert next(frames).event == "run.queued"
        elif method == "GET":
            assert viewer.http.get(path).status_code == 200
        else:
            answer = viewer.http.request(method, path, json=body, headers={"If-Match": "*"})
            assert_problem(answer, 403, "missing_permission")
    assert viewer.http.post("/v1/workflows/validate", json=SIMPLE).status_code == 200
    answer = viewer.http.post("/v1/workflows", json={"name": "Mine", "definition": SIMPLE})
    assert_problem(answer, 403, "missing_permission")
    assert client.run(things.run_id)["status"] == "waiting"


def test_an_operator_starts_and_cancels_and_changes_nothing(as_role: Callable[[str], Client], things: Things) -> None:
    operator = as_role("operator")
    run_id = operator.start(things.workflow.id)
    for started in (run_id, things.run_id):
        assert operator.http.post(f"/v1/runs/{started}/cancel").status_code == 202
        assert operator.wait_for_end(started)["status"] == "cancelled"
    calls = things.calls()
    changes = calls[calls.index(("POST", f"/v1/workflows/{things.workflow.id}/publish", None)) :]
    assert len(changes) >= 7
    for method, path, body in changes:
        answer = operator.http.request(method, path, json=body, headers={"If-Match": "*"})
        assert_problem(answer, 403, "missing_permission")


def test_an_editor_makes_publishes_and_deletes(as_role: Callable[[str], Client]) -> None:
    editor = as_role("editor")
    workflow = editor.publish(SIMPLE)
    assert editor.finish(workflow.id)["status"] == "succeeded"
    assert editor.http.delete(f"/v1/triggers/{workflow.trigger_id}").status_code == 204
    assert editor.http.delete(f"/v1/workflows/{workflow.id}").status_code == 204
