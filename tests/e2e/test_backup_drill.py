"""The drill: a product is backed up as it works, is lost, and another one goes on from the file."""

import hmac
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.backup.programs import find_program
from tests.e2e.client import Client, step_of
from tests.e2e.steps import define, delay, http
from tests.e2e.target import Reply, Target
from tests.product import Product, run_command

KEY = "secret.key"


@pytest.fixture
def settings(allowed_targets: dict[str, str]) -> dict[str, str]:
    # Long waits leave memory, short ones stay.
    return {**allowed_targets, "FLOWFORGE_SUSPEND_AFTER_SECONDS": "8"}


@pytest.fixture
def lost(tmp_path: Path, settings: dict[str, str]) -> Iterator[Product]:
    product = Product(tmp_path / "lost", settings=settings)
    product.start()
    yield product
    product.stop(signal.SIGKILL)


@pytest.fixture
def found(tmp_path: Path, settings: dict[str, str]) -> Iterator[Product]:
    product = Product(tmp_path / "found", settings=settings)
    yield product
    if product.process is not None:
        product.stop()


def test_running_and_delayed_runs_go_on_after_a_restore(
    lost: Product, found: Product, target: Target, tmp_path: Path
) -> None:
    secret = secrets.token_hex(20)
    signed = {"auth": {"type": "github", "secret": secret}}
    with closing(Client(lost.url)) as opened:
        client = opened.sign_in()
        held = client.publish(
            define(
                http("before", target.base + "/before"),
                http("held", target.base + "/held", method="POST", after=["before"]),
                http("after", target.base + "/after", after=["held"]),
            )
        )
        hook = client.publish(define(http("only", target.base + "/hooked")), config=signed)
        target.hold("/held")
        running = client.start(held.id)
        target.wait("/held")
        ended = client.start(client.publish(define(http("a", target.base + "/ended"))).id)
        assert client.wait_for_end(ended)["status"] == "succeeded"
        short = client.start(client.publish(define(delay("pause", 7))).id)
        long = client.start(
            client.publish(define(delay("pause", 12), http("b", target.base + "/b", after=["pause"]))).id
        )
        for run_id in (short, long):
            client.wait_for_status(run_id, "waiting")
        due_at = step_of(client.run(long), "pause")["due_at"]
        file = tmp_path / "backup"
        answer = run_command("backup", str(file), "--data-dir", str(lost.folder))
        assert answer.returncode == 0, answer.stderr
    lost.stop(signal.SIGKILL)
    target.plan("/held", Reply())

    answer = run_command("restore", str(file), "--data-dir", str(found.folder))
    assert answer.returncode == 0, answer.stderr
    assert "no secret key here" in answer.stderr
    shutil.copy(lost.folder / KEY, found.folder / KEY)
    found.start()
    with closing(Client(found.url)) as opened:
        client = opened.sign_in()
        for run_id in (running, short, long):
            assert client.wait_for_end(run_id)["status"] == "succeeded", run_id
        assert client.run(ended)["status"] == "succeeded"
        pause = step_of(client.run(long), "pause")
        assert pause["finished_at"] >= due_at
        assert step_of(client.run(running), "before")["attempts"]
        # Made once, and its answer was kept; the step in flight was made again, under the same key.
        assert len(target.received("/before")) == 1
        assert len({request.key for request in target.received("/held")}) == 1
        assert len(target.received("/after")) == 1
        # On a busy machine this was due while the first product lived on after its backup, and then comes again.
        assert len({request.key for request in target.received("/b")}) == 1
        # The trigger's secret opens: what is signed by it is taken, and nothing else.
        address = hook.hook.replace(lost.url, found.url)
        signature = "sha256=" + hmac.digest(secret.encode(), b"{}", "sha256").hex()
        delivery = {"x-hub-signature-256": signature, "x-github-delivery": "1", "content-type": "application/json"}
        assert client.http.post(address, content=b"{}").status_code == 401
        assert client.http.post(address, content=b"{}", headers=delivery).status_code == 202
    assert_sealed(file, secret, (lost.folder / KEY).read_text().strip())


def assert_sealed(file: Path, *plain: str) -> None:
    archive = subprocess.run([find_program("pg_restore", 16), "--file=-", file], capture_output=True, check=True).stdout
    assert b"COPY public.workflow_trigger" in archive
    for text in plain:
        assert text.encode() not in archive, "secrets are sealed, and the key is elsewhere"
        # As PostgreSQL writes bytes.
        assert text.encode().hex().encode() not in archive
