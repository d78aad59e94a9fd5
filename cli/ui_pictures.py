"""Pictures of every page of the web app, for the documentation: of a product of its own, with content of its own."""

import os
import tempfile
from pathlib import Path
from typing import Final

from cli.demo.place import find_place
from cli.servers.ports import find_free_port
from cli.ui_browser import ensure_chromium
from cli.ui_bundle import ensure_bundle
from cli.ui_toolchain import UI, UiError, ensure_node, ensure_packages, run

FOLDER: Final = UI.parent / "docs" / "screenshots"
_SPEC: Final = "e2e/pictures/pictures.spec.ts"
_SECONDS: Final = 900.0
# It calls nothing.
_NO_TARGET: Final = "127.0.0.1:9"


def take_pictures(folder: Path) -> None:
    """Write the pictures into a folder, over those that are there; raises UiError and ClientError."""
    node = ensure_node()
    ensure_packages(node)
    # What they show is the app as its sources are.
    ensure_bundle()
    chromium, why = ensure_chromium()
    if chromium is None:
        raise UiError(f"There is no browser to take pictures with: {why}.")
    folder.mkdir(parents=True, exist_ok=True)
    # Not of a product that somebody works with.
    os.environ.pop("FLOWFORGE_URL", None)
    vitest = UI / "node_modules" / "vitest" / "vitest.mjs"
    with (
        tempfile.TemporaryDirectory(prefix="flowforge-pictures-") as data,
        find_place(None, data, str(find_free_port()), _NO_TARGET) as place,
    ):
        run(
            [node.program, vitest, "run", "--config", "vitest.e2e.config.ts", _SPEC],
            node,
            seconds=_SECONDS,
            what="Taking the pictures",
            extra={"E2E_URL": place.url, "E2E_CHROMIUM": chromium, "E2E_PICTURES": str(folder.resolve())},
        )
