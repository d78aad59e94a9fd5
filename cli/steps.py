"""The checks that need no server: each a program, its time, and its output when it fails."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from msgspec import Struct

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
    command = [sys.executable, "-m", "pytest", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env={**environment(), **(extra or {})})
    try:
        return process.wait()
    except KeyboardInterrupt:
        # The terminal told pytest, too: it still prints how far it came.
        return process.wait()


def environment() -> dict[str, str]:
    """The environment of a step: no setting of a product that may run beside it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWFORGE_")}
    if venv := os.environ.get("FLOWFORGE_VENV"):
        kept["FLOWFORGE_VENV"] = venv
    return kept


def _command(step: Step) -> list[str]:
    return [str(Path(sys.executable).parent / step.program), *step.arguments]
