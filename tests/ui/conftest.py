"""What the web app is tested with: Node.js and its packages, the bundle, a browser."""

import os

import pytest

from cli.ui_browser import ensure_chromium
from cli.ui_bundle import ensure_bundle
from cli.ui_toolchain import Node, ensure_node, ensure_packages
from tests.ui.lanes import TOLD

_SLOWEST = 8


@pytest.fixture(scope="session")
def node() -> Node:
    """Node.js with the locked packages."""
    found = ensure_node()
    ensure_packages(found)
    return found


@pytest.fixture(scope="session")
def bundle(node: Node) -> None:
    """The bundle as the sources are."""
    ensure_bundle()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program of the browser. Without one these tests are skipped, unless `--need-browser` was asked for."""
    found, why = ensure_chromium()
    if found is None:
        if os.environ.get("FLOWFORGE_TEST_NEED_BROWSER"):
            pytest.fail(f"the web app cannot be tested in a browser: {why}")
        pytest.skip(f"the web app is not tested in a browser: {why}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where the time of the browser went: a suite becomes slow by one journey after the other."""
    if TOLD not in config.stash:
        return
    told = config.stash[TOLD]
    told.sort(key=lambda one: -one.seconds)
    terminalreporter.section(f"{len(told)} journeys in the browser, {sum(one.seconds for one in told):.0f} s")
    terminalreporter.line(", ".join(f"{one.journey.partition('.')[0]} {one.seconds:.0f}" for one in told))
    tests = [(seconds, name, one.journey) for one in told for name, seconds in one.tests.items()]
    for seconds, name, journey in sorted(tests, reverse=True)[:_SLOWEST]:
        terminalreporter.line(f"{seconds:6.1f} s  {journey}: {name}")
