"""The commands that steer runs, as a person uses them: real processes against a real product."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Client, step_of
from tests.e2e.shell import Shell, one_line
from tests.e2e.steps import define, http, of_type
from tests.e2e.target import Reply, Target
from tests.product import Product, wait_for

NOBODY = "0199aaaa-0000-7000-8000-000000000000"


@pytest.fixture
def shell(tmp_path: Path, product: Product, client: Client) -> Shell:
    """Somebody who has signed in; `client` has set the product up."""
    return Shell(tmp_path, product.url).sign_in()


def start(shell: Shell, name: str, *options: str) -> str:
    answer = shell.run("run", name, *options)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def asked(client: Client, run_id: str) -> dict[str, Any]:
    found: dict[str, Any] = wait_for(
        lambda: next(iter(client.read("/v1/approvals", run_id=run_id)["items"]), None), what="approval"
    )
    return found


def test_a_failed_run_is_retried_and_a_succeeded_one_repeated(shell: Shell, client: Client, target: Target) -> None:
    target.plan("/pay", Reply(status=404), Reply())
    definition = define(
        http("fetch", target.base + "/fetch"),
        http("pay", target.base + "/pay", after=["fetch"]),
        output="{{ input.n }}",
    )
    shell.publish("cli steered", definition)
    failed = shell.run("run", "cli steered", "--input", '{"n": 1}', "--wait", "--json")
    assert failed.returncode == 1
    run_id = json.loads(failed.stdout)["id"]
    retried = shell.run("retry", run_id, "--wait")
    assert (retried.returncode, json.loads(retried.stdout)) == (0, 1)
    assert "rerun it" in one_line(shell.run("retry", run_id), 1)
    repeated = shell.run("rerun", run_id, "--from-step", "pay", "--input", "@-", "--wait", stdin='{"n": 2}')
    assert (repeated.returncode, json.loads(repeated.stdout)) == (0, 2), repeated.stderr
    assert run_id in repeated.stderr
    assert [len(target.received(path)) for path in ("/fetch", "/pay")] == [1, 3]
    # Without --wait, the new run's id alone is on stdout.
    started = shell.run("rerun", run_id, "--version", "latest")
    assert started.returncode == 0
    run = client.wait_for_status(started.stdout.strip(), "succeeded")
    assert (run["origin_run_id"], run["output"]) == (run_id, 1)
    as_json = json.loads(shell.run("rerun", run_id, "--json").stdout)
    assert client.wait_for_end(as_json["run_id"])["status"] == "succeeded"


def test_what_cannot_be_repeated_is_one_line(shell: Shell, client: Client) -> None:
    shell.publish("cli unsteered", define(of_type("wait", "wait", {"signal": "go"})))
    run_id = start(shell, "cli unsteered")
    client.wait_for_status(run_id, "waiting")
    assert "once it has ended" in one_line(shell.run("rerun", run_id), 1)
    assert "There is no such run" in one_line(shell.run("rerun", NOBODY), 1)
    assert "no JSON" in one_line(shell.run("rerun", run_id, "--input", "{"), 2)
    assert shell.run("cancel", run_id, "--wait").returncode == 0
    answer = shell.run("rerun", run_id, "--from-step", "nowhere")
    assert answer.returncode == 1
    assert "/from_step: there is no step 'nowhere'; the steps are 'wait'" in answer.stderr
    assert shell.run("rerun", run_id, "--version", "newest").returncode == 2


def test_signals_carry_payloads(shell: Shell, client: Client) -> None:
    steps = [
        of_type("wait", name, {"signal": name}, after=after)
        for name, after in (("one", []), ("two", ["one"]), ("three", ["two"]))
    ]
    shell.publish("cli signalled", define(*steps))
    run_id = start(shell, "cli signalled")
    client.wait_for_status(run_id, "waiting")
    (shell.folder / "payload.json").write_text('["é", 2]')
    assert shell.run("signal", run_id, "two", "--payload", "@payload.json").returncode == 0
    assert shell.run("signal", run_id, "one", "--payload", '{"paid": true}').returncode == 0
    sent = shell.run("signal", run_id, "three")
    assert (sent.returncode, sent.stdout) == (0, "")
    assert "'three'" in sent.stderr
    run = client.wait_for_status(run_id, "succeeded")
    assert [step["output"] for step in run["steps"]] == [{"paid": True}, ["é", 2], None]
    assert "The run has ended" in one_line(shell.run("signal", run_id, "one"), 1)
    assert "no JSON" in one_line(shell.run("signal", run_id, "one", "--payload", "{"), 2)
    assert "nothing here that you can see" in one_line(shell.run("signal", NOBODY, "one"), 1)


def test_approvals_are_listed_and_decided(shell: Shell, client: Client) -> None:
    refused = of_type("transform", "refused", {"values": {}}, after=["ask.rejected"])
    message = "Pay {{ input.n }}?\n" + "Really. " * 30
    shell.publish("cli asking", define(of_type("approval", "ask", {"message": message, "timeout": 3600}), refused))
    runs = [start(shell, "cli asking", "--input", json.dumps({"n": n})) for n in (1, 2)]
    approvals = [asked(client, run_id) for run_id in runs]
    listed = shell.run("approvals")
    assert listed.returncode == 0
    lines = {line[:36]: line for line in listed.stdout.splitlines()}
    line = lines[approvals[0]["id"]]
    assert re.search(r"pending +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d{4}.* cli asking +ask: Pay 1\? Really.*…$", line)
    as_json = json.loads(shell.run("approvals", "--run", runs[1], "--json").stdout)
    assert [each["id"] for each in as_json["items"]] == [approvals[1]["id"]]
    approved = shell.run("approve", approvals[0]["id"], "--comment", "fine")
    assert (approved.returncode, approved.stdout) == (0, "")
    assert f"approved: ask of run {runs[0]} (cli asking)" in approved.stderr
    assert shell.run("reject", approvals[1]["id"]).returncode == 0
    outputs = [step_of(client.wait_for_status(run_id, "succeeded"), "ask")["output"] for run_id in runs]
    assert [(each["decision"], each["comment"]) for each in outputs] == [("approved", "fine"), ("rejected", None)]
    assert "is approved" in one_line(shell.run("reject", approvals[0]["id"]), 1)
    assert "nothing here that you can see" in one_line(shell.run("approve", NOBODY), 1)
    assert shell.run("approvals", "--run", runs[0]).stdout == "No approvals are pending.\n"
    assert shell.run("approvals", "--run", NOBODY, "--status", "all").stdout == "No approvals.\n"
    decided = json.loads(shell.run("approvals", "--status", "rejected", "--limit", "1", "--json").stdout)["items"]
    assert [each["id"] for each in decided] == [approvals[1]["id"]]
