"""What the web app is tested with: Node.js and its packages, the bundle, a browser."""

import os

import pytest

from cli.ui_browser import ensure_chromium
from cli.ui_bundle import ensure_bundle
from cli.ui_toolchain import Node, ensure_node, ensure_packages


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
