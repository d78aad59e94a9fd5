"""The checks of what could be abused: programs that need no network and no server."""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from cli.steps import LINT, Step, run_steps

_SOURCES: Final = ("app", "cli", "engine", "loadtests", "relay.py", "worker.py")

SECURITY: Final = (
    Step(name="security rules", program="ast-grep", arguments=("scan", *_SOURCES, "ui/src")),
    Step(name="tests of rules", program="ast-grep", arguments=("test", "--skip-snapshot-tests")),
    Step(name="secrets", program="python", arguments=("-m", "cli.security.secrets")),
    Step(name="bandit", program="bandit", arguments=("-q", "-r", "-c", "pyproject.toml", *_SOURCES)),
)


def check_sources() -> list[str]:
    """Lint, types and security rules, side by side; the names of those that failed."""
    with ThreadPoolExecutor(1) as beside:
        security = beside.submit(run_steps, SECURITY)
        return run_steps(LINT) + security.result()
