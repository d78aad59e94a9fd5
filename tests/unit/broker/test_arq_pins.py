"""What our Worker takes over from arq and replaces in it must be what it was written against."""

import hashlib
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from arq import constants
from arq.jobs import deserialize_job_raw, serialize_job
from arq.worker import Worker

from engine.infra.bell_worker import ClaimingWorker


def fingerprint(function: Callable[..., Any]) -> str:
    return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]


def test_arq_is_the_version_that_was_read() -> None:
    assert version("arq").startswith("0.28.")


@pytest.mark.parametrize(
    ("function", "known"),
    [
        pytest.param(Worker.__init__, "edfb0cd7e05e77cf", id="the attributes that our main loop uses"),
        pytest.param(Worker.async_run, "f3434c3dd359b31b", id="starts main"),
        pytest.param(Worker.main, "45ca1591c9717466", id="overridden"),
        pytest.param(Worker._poll_iteration, "f8d39d823a0a59f2", id="replaced by the claim"),
        pytest.param(Worker.start_jobs, "b45797cfa40bed7f", id="replaced by the claim's mark of progress"),
        pytest.param(Worker.run_job, "589a19059ff84ee7", id="replaced by our run"),
        pytest.param(Worker.finish_job, "903f09c92830d3fd", id="replaced by the claim's finish"),
        pytest.param(Worker.record_health, "108f4b8686c9402d", id="used"),
        pytest.param(serialize_job, "1fc854cc50e16e5c", id="the format of a job"),
        pytest.param(deserialize_job_raw, "f330dfaff8e2160f", id="how a job is read"),
    ],
)
def test_arq_has_not_changed_beneath_us(function: Callable[..., Any], known: str) -> None:
    assert fingerprint(function) == known, "read arq's change, adapt engine/infra/bell_worker.py, then renew this value"


def test_only_main_is_overridden() -> None:
    ours = {name for name in vars(ClaimingWorker) if name in dir(Worker)} - {"__module__", "__doc__", "__init__"}
    assert ours == {"main"}


def test_the_names_of_keys_are_known() -> None:
    assert (constants.job_key_prefix, constants.in_progress_key_prefix) == ("arq:job:", "arq:in-progress:")
