"""A program that is told to stop while it starts another one."""

import os
import subprocess
import sys
from pathlib import Path

from cli.servers.process import command_line
from tests.product import clean_environment, wait_for

# Ctrl-C comes at the worst moment: in the parent, right after the fork, where Python drops what a handler raises.
SCRIPT = """
import os, signal, sys
from pathlib import Path
from cli.servers.process import spawn

os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    spawn(["sleep", "600"], log=Path(sys.argv[1]), death_signal=signal.SIGTERM)
except KeyboardInterrupt:
    print("stopped")
    sys.stdout.flush()
    sys.stdin.read()
"""


def test_ctrl_c_while_a_server_is_started_is_heard_and_leaves_no_server(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "log")],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stopped\n"
        assert children_of(process.pid) == []
        _, errors = process.communicate(timeout=60)
    assert errors == ""


def test_what_is_spawned_takes_signals(tmp_path: Path) -> None:
    script = (
        "import signal, sys\nfrom pathlib import Path\nfrom cli.servers.process import spawn\n"
        "spawned = spawn(['sleep', '600'], log=Path(sys.argv[1]), death_signal=signal.SIGTERM)\n"
        "spawned.terminate()\nsys.exit(-spawned.wait(20))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")], env=clean_environment(), timeout=30, check=False
    )
    assert answer.returncode == 15


def test_a_server_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom cli.servers.process import spawn\n"
        "print(spawn(['sleep', '600'], log=Path(sys.argv[1]), death_signal=signal.SIGTERM).pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    pid = int(answer.stdout)
    if sys.platform == "linux":
        wait_for(lambda: "sleep 600" not in command_line(pid), what="end of the server")
    else:
        os.kill(pid, 15)


def children_of(pid: int) -> list[str]:
    answer = subprocess.run(["ps", "-A", "-o", "ppid=,command="], capture_output=True, text=True, check=True)
    return [line for line in answer.stdout.splitlines() if line.split()[0] == str(pid) and "sleep" in line]
