"""Workflows that read the workspace's variables."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.client import Client, Published, step_of
from tests.e2e.steps import define, foreach, of_type, transform

Publish = Callable[..., Published]


@pytest.fixture
def put(client: Client) -> Callable[[str, Any], None]:
    """Set a variable."""

    def set_variable(name: str, value: Any) -> None:
        client.http.put(f"/v1/vars/{name}", json={"value": value}).raise_for_status()

    return set_variable


def test_a_run_reads_the_variables_as_they_are_when_it_starts(
    client: Client, publish_workflow: Publish, put: Callable[[str, Any], None]
) -> None:
    put("region", "eu")
    put("limits", {"orders": 100})
    steps = [transform("values", where="{{ vars.region }}", orders="{{ vars.limits.orders + 1 }}")]
    workflow = publish_workflow(define(*steps, output={"where": "{{ vars.region }}"})).id
    run = client.finish(workflow, {})
    assert step_of(run, "values")["output"] == {"where": "eu", "orders": 101}
    assert run["output"] == {"where": "eu"}
    put("region", "us")
    assert client.finish(workflow, {})["output"] == {"where": "us"}
    rerun = client.http.post(f"/v1/runs/{run['id']}/rerun").json()["run_id"]
    assert client.wait_for_end(rerun)["output"] == {"where": "us"}


def test_a_variable_changed_while_a_run_waits_is_as_it_was(
    client: Client, publish_workflow: Publish, put: Callable[[str, Any], None]
) -> None:
    put("colour", "red")
    steps = [
        of_type("wait", "pause", {"signal": "go"}),
        transform("after", after=["pause"], colour="{{ vars.colour }}"),
    ]
    run_id = client.start(publish_workflow(define(*steps)).id)
    client.wait_for_status(run_id, "waiting")
    put("colour", "blue")
    client.http.post(f"/v1/runs/{run_id}/signal", json={"name": "go"}).raise_for_status()
    assert step_of(client.wait_for_end(run_id), "after")["output"] == {"colour": "red"}


def test_loops_settings_and_computed_names_read_variables(
    client: Client, publish_workflow: Publish, put: Callable[[str, Any], None]
) -> None:
    put("factor", 3)
    put("which", "factor")
    times = transform("times", value="{{ item * vars.factor }}")
    loop = foreach("each", "[1, 2]", times, output="{{ steps.times.output.value }}")
    computed = transform("computed", value="{{ vars[vars.which] }}")
    settings = {"concurrency": {"key": "{{ vars.which }}", "limit": "{{ vars.factor }}"}}
    definition = define(loop, computed, settings=settings)
    run = client.finish(publish_workflow(definition).id, {})
    assert (step_of(run, "each")["output"], step_of(run, "computed")["output"]) == ([3, 6], {"value": 3})


def test_a_variable_that_is_missing_fails_the_step_with_the_names_that_exist(
    client: Client, publish_workflow: Publish, put: Callable[[str, Any], None]
) -> None:
    put("present", 1)
    steps = [transform("values", a="{{ vars.present }}", b="{{ vars.absent }}")]
    run = client.finish(publish_workflow(define(*steps)).id, {})
    error = step_of(run, "values")["error"]
    assert (run["status"], error["code"]) == ("failed", "expression_error")
    assert "absent" in error["message"]
    assert "present" in error["message"]
