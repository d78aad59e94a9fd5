"""The users of a load test, for `python -m locust -f loadtests/locustfile.py`: `./flowforge loadtest` starts it.

The plan is in the file that FLOWFORGE_LOADTEST_PLAN names. Locust patches its process by gevent, so that this is the
only way in: nothing of the product imports it.
"""

import itertools
import os
from pathlib import Path
from typing import Any, Final

import gevent
from locust import FastHttpUser, User, constant, constant_pacing, events, task
from locust.env import Environment
from locust.exception import StopUser

from loadtests.load.ledger import Ledger
from loadtests.load.sending import Sender, read
from loadtests.load.streams import Streams
from loadtests.plan import PLAN, read_plan

PLAN_READ: Final = read_plan(Path(os.environ[PLAN]))
LEDGER: Final = Ledger(PLAN_READ)
# Locust's own verdict counts failed requests; that is for the report. What it must tell is that it came to its end.
UNFINISHED: Final = 3


def _tell_whether_finished(environment: Environment, **_: Any) -> None:
    environment.process_exit_code = 0 if LEDGER.is_closed else UNFINISHED


events.quitting.add_listener(_tell_whether_finished)  # type: ignore[no-untyped-call]  # Locust left it untyped


class Arrivals(User):
    """Everybody who sends events: one greenlet, which waits for none of them."""

    fixed_count = 1

    @task
    def send_all(self) -> None:
        """Send everything, close the books and end Locust."""
        LEDGER.begin()
        Sender(PLAN_READ, LEDGER, self.environment).send_all()
        LEDGER.finish(self.environment.runner.exceptions)
        # Not from here: it ends this greenlet, too.
        gevent.spawn(self.environment.runner.quit)
        raise StopUser


class Reader(FastHttpUser):
    """Somebody who looks around in the web application: one read a second."""

    fixed_count = PLAN_READ.readers
    wait_time = constant_pacing(1)
    network_timeout = connection_timeout = PLAN_READ.answer_seconds
    default_headers = {"Authorization": f"Bearer {PLAN_READ.token}"}  # noqa: RUF012 - Locust's attribute
    _turns = itertools.count()

    def on_start(self) -> None:
        """Nobody reads before there is something to read."""
        LEDGER.has_begun.wait()

    @task
    def look(self) -> None:
        """One of the reads that the pages make, in turn."""
        if LEDGER.is_over:
            raise StopUser
        turn = next(self._turns)
        workflow_id = PLAN_READ.workflow_ids[turn % len(PLAN_READ.workflow_ids)]
        run_id = LEDGER.latest[turn % len(LEDGER.latest)] if LEDGER.latest else None
        reads = [
            ("/v1/runs?limit=50", "/v1/runs", "items"),
            (f"/v1/runs?workflow_id={workflow_id}&limit=50", "/v1/runs?workflow_id", "items"),
            (f"/v1/workflows/{workflow_id}", "/v1/workflows/{id}", "definition"),
        ]
        if run_id:
            reads += [
                (f"/v1/runs/{run_id}", "/v1/runs/{id}", "steps"),
                (f"/v1/runs/{run_id}/events", "/v1/runs/{id}/events", "items"),
            ]
        read(LEDGER, self, *reads[turn % len(reads)])


class WorkspaceWatcher(User):
    """Somebody with the list of runs open: the workspace's stream."""

    fixed_count = PLAN_READ.workspace_streams

    @task
    def watch(self) -> None:
        """Follow the workspace as long as the test goes on."""
        Streams(PLAN_READ, LEDGER, self.environment).follow_workspace()
        raise StopUser


class RunWatcher(User):
    """Somebody who looks at one run after the other while they go on."""

    fixed_count = PLAN_READ.run_streams
    wait_time = constant(0.1)
    _followed: set[str] = set()  # noqa: RUF012 - all watchers share it, so that each run is watched once

    def on_start(self) -> None:
        """Nobody watches before there is something to watch."""
        LEDGER.has_begun.wait()

    @task
    def watch(self) -> None:
        """Follow the latest run that nobody follows."""
        if LEDGER.is_over:
            raise StopUser
        if LEDGER.latest and LEDGER.latest[-1] not in self._followed:
            self._followed.add(LEDGER.latest[-1])
            Streams(PLAN_READ, LEDGER, self.environment).follow_run(LEDGER.latest[-1])
