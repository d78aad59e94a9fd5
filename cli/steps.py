"""The checks that need no server: each a program, its time, and its output when it fails."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
from msgspec import Struct

# For what a pytest that is told to end has to stop.
END_SECONDS = 60.0
ROOT = Path(__file__).resolve().parent.parent


class Step(Struct, frozen=True, kw_only=True):
    """A program of the environment, run in the repository's root."""

    name: str
    program: str
    arguments: tuple[str, ...] = ()


LINT = (
    Step(name="ruff check", program="ruff", arguments=("check", "--quiet")),
    Step(name="ruff format", program="ruff", arguments=("format", "--check", "--quiet")),
    Step(name="mypy", program="mypy"),
    Step(name="import contracts", program="lint-imports"),
)


def run_steps(steps: Sequence[Step]) -> list[str]:
    """Run every step, print a line for each, and return the names of those that failed."""
    failed = []
    for step in steps:
        started = time.monotonic()
        answer = subprocess.run(
            _command(step), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
        )
        outcome = "ok" if answer.returncode == 0 else "FAILED"
        click.echo(f"{step.name:<18} {outcome:<6} {time.monotonic() - started:5.1f} s")
        if answer.returncode != 0:
            failed.append(step.name)
            click.echo((answer.stdout + answer.stderr).rstrip())
    return failed


def run_pytest(arguments: Sequence[str], extra: Mapping[str, str] | None = None) -> int:
    """Run pytest with its output as it comes, and return its exit code."""
    sys.stdout.flush()
    process = subprocess.Popen(_pytest(arguments), cwd=ROOT, env={**environment(), **(extra or {})})
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal told pytest, too: it still prints how far it came.
        return process.wait()


@contextmanager
def pytest_beside(
    arguments: Sequence[str], extra: Mapping[str, str], output: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """A pytest in the background that writes to `output`; it is over when this is."""
    process = subprocess.Popen(
        _pytest(arguments), cwd=ROOT, env={**environment(), **extra}, stdout=output, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment() -> dict[str, str]:
    """The environment of a step: no setting of a product that may run beside it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWFORGE_")}
    if venv := os.environ.get("FLOWFORGE_VENV"):
        kept["FLOWFORGE_VENV"] = venv
    return kept


def _pytest(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments]


def _command(step: Step) -> list[str]:
    return [str(Path(sys.executable).parent / step.program), *step.arguments]
