"""The README's tour, pasted into one bash: what it shows is what comes out."""

import os
import re
import signal
import subprocess
import sys

import pytest

from cli.servers.ports import find_free_port
from tests.product import ROOT, clean_environment

SECONDS = 300
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_tour() -> list[tuple[str, str]]:
    """The tour's blocks in order: ("bash", commands) and ("text", what they print)."""
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("\n## A tour in five minutes\n")[2].partition("\n## ")[0]
    return [(kind, text) for kind, text in BLOCK.findall(section)]


def paste(commands: str) -> tuple[int, str]:
    """Run the commands as one bash reads them, stopping at the first that fails; the exit code and all output."""
    # The environment of this test is the one that `up` shall use, rather than to install another.
    environment = clean_environment(FLOWFORGE_VENV=sys.prefix)
    with subprocess.Popen(
        ["bash", "-eu", "-o", "pipefail"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(commands, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            output, _ = process.communicate(timeout=30)
            pytest.fail(f"the tour was not over after {SECONDS} s:\n{output}")
        return process.returncode, output


def find_missing(shown: list[str], printed: list[str]) -> str | None:
    """The first line that is shown and was not printed, in this order; `…` stands for anything."""
    lines = iter(printed)
    for line in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in line.rstrip().split("…")))
        if line != "…" and not any(pattern.fullmatch(candidate.rstrip()) for candidate in lines):
            return line
    return None


@pytest.mark.parametrize(
    ("shown", "printed", "missing"),
    [
        (["a", "…", "b"], ["a", "x", "b"], None),
        (["id …!"], ["id 17!"], None),
        (["b", "a"], ["a", "b"], "a"),
        (["a.c"], ["abc"], "a.c"),
    ],
    ids=["left out", "wildcard", "order", "no pattern"],
)
def test_what_is_shown_is_looked_for(shown: list[str], printed: list[str], missing: str | None) -> None:
    assert find_missing(shown, printed) == missing


@pytest.mark.timeout(SECONDS + 60)
def test_the_tour_works_when_pasted() -> None:
    tour = read_tour()
    commands = "".join(text for kind, text in tour if kind == "bash")
    shown = [line for kind, text in tour if kind == "text" for line in text.splitlines()]
    assert commands.count("curl") > 5
    assert len(shown) > 50
    port, target = str(find_free_port()), str(find_free_port())
    commands = commands.replace(":8000", f":{port}").replace("9000", target)
    code, output = paste(f"export FLOWFORGE_PORT={port}\n{commands}")
    assert code == 0, output
    shown = [line.replace(":8000", f":{port}") for line in shown]
    missing = find_missing(shown, output.splitlines())
    assert missing is None, f"not printed: {missing}\n\n{output}"
