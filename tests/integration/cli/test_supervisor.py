"""The supervisor starts again what dies, and stops in order."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cli.servers.process import command_line
from tests.product import PATIENCE_SECONDS, clean_environment, in_time, is_gone, wait_for

PROGRAM = Path(__file__).with_name("supervised.py")
Start = Callable[..., "Supervised"]


class Supervised:
    """The program, running."""

    def __init__(self, marks: Path, roles: str, **environment: str) -> None:
        self.marks = marks
        self.changed_at = 0.0
        self.pids: set[int] = set()
        self.process = subprocess.Popen(
            [sys.executable, PROGRAM],
            env=clean_environment(MARKS=str(marks), ROLES=roles, **environment),
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def next_pids(self, *, are_handling: bool = True) -> dict[str, int]:
        """The process ids after the next change, once their processes handle signals unless that is not waited for."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                change = json.loads(line)
                self.changed_at = change["at"]
                pids: dict[str, int] = change["pids"]
                self.pids.update(pids.values())
                for name, pid in pids.items():
                    if name != "short" and are_handling:
                        wait_for((self.marks / str(pid)).exists, what=f"{name} that handles signals")
                return pids
        raise AssertionError("the supervisor ended")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Supervised] = []

    def launch(roles: str, **environment: str) -> Supervised:
        running.append(Supervised(tmp_path, roles, **environment))
        return running[-1]

    yield launch
    for supervised in running:
        supervised.process.kill()
        supervised.process.wait()
        for pid in supervised.pids:
            # A stubborn one lives on by itself; the number of one that ended may be somebody else's by now.
            if PROGRAM.name in command_line(pid):
                os.kill(pid, signal.SIGKILL)
        assert supervised.process.stdout is not None
        supervised.process.stdout.close()


def test_a_killed_child_is_started_again(start: Start) -> None:
    supervised = start("steady")
    first = supervised.next_pids()["steady"]
    os.kill(first, signal.SIGKILL)
    second = supervised.next_pids()["steady"]
    assert second != first
    assert not is_gone(second)


def test_a_child_that_keeps_ending_is_started_ever_more_slowly(start: Start) -> None:
    def measure_longest() -> float:
        supervised = start("short", SHORT_CODE="3")
        supervised.next_pids()
        moments = []
        for _ in range(4):
            supervised.next_pids()
            moments.append(supervised.changed_at)
        waits = [later - earlier for earlier, later in pairwise(moments)]
        assert waits[0] >= 0.15
        assert waits[1] >= 0.35
        assert waits[2] >= 0.75
        return max(waits)

    in_time(measure_longest, 2)


def test_a_bad_setting_at_the_start_ends_everything(start: Start) -> None:
    supervised = start("steady,short", SHORT_CODE="2", IS_READY="no")
    # The end may come before the steady one has its handler in place.
    steady = supervised.next_pids(are_handling=False)["steady"]
    assert supervised.process.wait(PATIENCE_SECONDS) == 2
    assert is_gone(steady)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_asked_for_is_orderly(start: Start, number: signal.Signals) -> None:
    supervised = start("steady")
    pid = supervised.next_pids()["steady"]
    assert supervised.stop(number) == 0
    assert is_gone(pid)


def test_an_end_that_is_asked_for_does_not_wait_for_a_server_that_recovers(start: Start, tmp_path: Path) -> None:
    supervised = start("steady", SERVER="recovering")
    pid = supervised.next_pids()["steady"]
    wait_for((tmp_path / "recovering").exists, what="start of the server")
    assert supervised.stop() == 0
    assert is_gone(pid)
    assert (tmp_path / "stopped").exists()


def test_a_server_that_runs_and_serves_nobody_is_started_anew(start: Start, tmp_path: Path) -> None:
    supervised = start("steady", SERVER="stranded")
    pids = supervised.next_pids()
    wait_for((tmp_path / "started").exists, what="another start of the server")
    (tmp_path / "stopped").unlink()
    assert not is_gone(pids["steady"])
    assert supervised.stop() == 0
    assert (tmp_path / "stopped").exists()


def test_a_child_that_does_not_end_is_killed_after_the_grace(start: Start) -> None:
    supervised = start("stubborn,steady", GRACE="0.3")
    pids = supervised.next_pids()
    assert supervised.stop() == 0
    assert all(is_gone(pid) for pid in pids.values())


def test_a_second_signal_cuts_the_grace_short(start: Start) -> None:
    supervised = start("stubborn,steady", GRACE="60")
    pids = supervised.next_pids()
    supervised.process.send_signal(signal.SIGINT)
    # The steady one is gone: the first signal has been taken.
    wait_for(lambda: is_gone(pids["steady"]), what="first stop")
    assert supervised.stop(signal.SIGINT) == 0
    assert is_gone(pids["stubborn"])


def test_children_end_with_a_killed_supervisor(start: Start) -> None:
    supervised = start("steady")
    pid = supervised.next_pids()["steady"]
    supervised.process.kill()
    wait_for(lambda: is_gone(pid), what="end of the child")


def test_ctrl_c_reaches_the_supervisor_alone(start: Start) -> None:
    supervised = start("stubborn", GRACE="60")
    pid = supervised.next_pids()["stubborn"]
    assert os.getpgid(pid) == pid
    assert os.getpgid(supervised.process.pid) == supervised.process.pid
