"""Live streams: of one run from its journal, of the workspace from Redis."""

from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from tests.e2e.client import Client, Document, Frame, Published
from tests.e2e.steps import condition, define, delay, http
from tests.e2e.target import Target

Publish = Callable[..., Published]
SIMPLE = define(condition("always", "true"))
ENDS = {"run.succeeded", "run.failed", "run.cancelled", "run.timed_out"}


def until_end(frames: Iterator[Frame], run_id: str) -> list[Frame]:
    """The frames up to the one that tells the end of a run."""
    came: list[Frame] = []
    for frame in frames:
        came.append(frame)
        if frame.event in ENDS and frame.data.get("run_id", run_id) == run_id:
            return came
    raise AssertionError(f"the stream ended before the run: {came}")


def journalled(frames: list[Frame]) -> list[Document]:
    """The events that stand in the journal: hints have no id."""
    return [frame.data for frame in frames if frame.id is not None]


@pytest.fixture
def held(client: Client, publish_workflow: Publish, target: Target) -> str:
    """A run that waits for the target's answer at `/held`."""
    target.hold("/held")
    steps = [
        http("held", target.base + "/held"),
        delay("pause", 0.1, after=["held"]),
        http("after", target.base + "/after", after=["pause"]),
    ]
    run_id = client.start(publish_workflow(define(*steps)).id)
    target.wait("/held")
    return run_id


def test_the_stream_of_a_run_is_its_journal_as_it_happens(client: Client, target: Target, held: str) -> None:
    with client.stream(f"/v1/runs/{held}/stream") as frames:
        # The first ones come while the target still holds the run.
        came = list(islice(frames, 2))
        assert [frame.event for frame in came] == ["run.queued", "run.started"]
        assert client.run(held)["status"] == "running"
        target.release_all()
        came += list(frames)
    assert came[-1].event == "run.succeeded"
    assert [frame.id for frame in came if frame.id is not None] == [str(n) for n in range(1, len(journalled(came)) + 1)]
    assert journalled(came) == client.events(held)
    assert [frame.event for frame in came if frame.id is not None] == [event["type"] for event in client.events(held)]


def test_a_watched_run_hints_at_each_start_of_a_step(client: Client, target: Target, publish_workflow: Publish) -> None:
    # A hint is told by whoever knows already that somebody watches: so it is looked for some time after that began.
    names = ["first", "second", "third", "last"]
    steps = [delay("pause_0", 0.5)]
    for number, name in enumerate(names):
        steps += [
            http(name, target.base + "/step", after=[f"pause_{number}"]),
            delay(f"pause_{number + 1}", 0.5, after=[name]),
        ]
    run_id = client.start(publish_workflow(define(*steps)).id)
    with client.stream(f"/v1/runs/{run_id}/stream") as frames:
        came = list(frames)
    hints = [frame.data for frame in came if frame.id is None]
    assert {"step.started"} == {frame.event for frame in came if frame.id is None}
    assert "last" in {hint["event"]["step"] for hint in hints}


@pytest.mark.parametrize("seen", [0, 1, 3])
def test_the_stream_of_a_run_resumes_without_a_gap(client: Client, target: Target, held: str, seen: int) -> None:
    with client.stream(f"/v1/runs/{held}/stream") as frames:
        first = list(islice(frames, min(seen, 2)))
        if seen > 2:
            target.release_all()
            first += [next(frame for frame in frames if frame.id is not None)]
    target.release_all()
    client.wait_for_end(held)
    last_id = first[-1].id if first else None
    with client.stream(f"/v1/runs/{held}/stream", last_id) as frames:
        rest = list(frames)
    assert journalled(first) + journalled(rest) == client.events(held)


def test_the_stream_of_a_finished_run_tells_it_all_and_ends(client: Client, publish_workflow: Publish) -> None:
    run = client.finish(publish_workflow(SIMPLE).id)
    with client.stream(f"/v1/runs/{run['id']}/stream") as frames:
        assert journalled(list(frames)) == client.events(run["id"])


def test_a_stream_that_was_read_whole_ends_at_once(client: Client, publish_workflow: Publish) -> None:
    run = client.finish(publish_workflow(SIMPLE).id)
    last_id = str(client.events(run["id"])[-1]["seq"])
    answer = client.http.get(f"/v1/runs/{run['id']}/stream", headers={"last-event-id": last_id}, timeout=60)
    assert answer.status_code in (200, 204)
    assert "event:" not in answer.text


@pytest.mark.parametrize("last_id", ["soon", "-1", "9" * 40, "1.5"])
def test_the_stream_of_a_finished_run_ends_whatever_id_it_is_asked_for(
    client: Client, publish_workflow: Publish, target: Target, last_id: str
) -> None:
    run_id = client.start(publish_workflow(define(http("call", target.base + "/ok"))).id)
    client.wait_for_end(run_id)
    answer = client.http.get(f"/v1/runs/{run_id}/stream", headers={"last-event-id": last_id}, timeout=60)
    assert answer.status_code in (200, 204)
    assert ("run.succeeded" in answer.text) == (not last_id.isdigit())


def test_the_stream_of_the_workspace_carries_the_changes_of_runs(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(define(delay("pause", 0.2)))
    with client.stream("/v1/stream") as frames:
        run_id = client.start(workflow.id)
        came = [frame for frame in until_end(frames, run_id) if frame.data["run_id"] == run_id]
    kinds = ["run.queued", "run.started", "run.waiting", "run.resumed", "run.succeeded"]
    assert [frame.event for frame in came] == kinds
    assert [frame.data["status"] for frame in came] == ["queued", "running", "waiting", "running", "succeeded"]
    assert {frame.data["workflow_id"] for frame in came} == {workflow.id}
    events = {event["seq"]: event for event in client.events(run_id)}
    for frame in came:
        assert frame.id
        assert events[frame.data["seq"]]["type"] == frame.event
        assert events[frame.data["seq"]]["id"] == frame.data["id"]
    assert len({frame.id for frame in came}) == len(came)


def test_the_stream_of_the_workspace_resumes_without_a_gap(client: Client, publish_workflow: Publish) -> None:
    workflow = publish_workflow(SIMPLE)
    with client.stream("/v1/stream") as frames:
        first = client.start(workflow.id)
        seen = until_end(frames, first)
    missed = [client.finish(workflow.id)["id"] for _ in range(3)]
    with client.stream("/v1/stream", seen[-1].id) as frames:
        later = client.start(workflow.id)
        rest = until_end(frames, later)
    assert "reset" not in {frame.event for frame in rest}
    told = [frame.data["run_id"] for frame in rest if frame.event == "run.succeeded"]
    assert told == [*missed, later]
    assert not {frame.id for frame in seen} & {frame.id for frame in rest}


@pytest.mark.parametrize("unknown", ["1-1", "9999999999999-0", "no id at all"])
def test_an_unknown_id_of_the_workspace_gets_a_reset_and_then_what_comes(
    client: Client, publish_workflow: Publish, unknown: str
) -> None:
    workflow = publish_workflow(SIMPLE)
    client.finish(workflow.id)
    with client.stream("/v1/stream", unknown) as frames:
        assert next(frames).event == "reset"
        run_id = client.start(workflow.id)
        assert until_end(frames, run_id)[-1].data["run_id"] == run_id


def test_many_watch_at_the_same_time(client: Client, publish_workflow: Publish, target: Target, held: str) -> None:
    with (
        client.stream(f"/v1/runs/{held}/stream") as one,
        client.stream(f"/v1/runs/{held}/stream") as two,
        client.stream("/v1/stream") as three,
    ):
        target.release_all()
        assert journalled(list(one)) == journalled(list(two)) == client.events(held)
        assert until_end(three, held)
