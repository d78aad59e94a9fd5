"""The TypeScript types of the API, made from the OpenAPI document of the API as it is."""

import json
import tempfile
from pathlib import Path
from typing import Final

from app.main import create_app
from app.openapi import build_document
from cli.ui_toolchain import UI, ensure_node, ensure_packages, run
from engine.infra.settings import Settings

TYPES: Final = UI / "src" / "generated" / "api.ts"
_SECONDS: Final = 120.0


def make_types() -> str:
    """The types as a TypeScript module; raises UiError."""
    node = ensure_node()
    ensure_packages(node)
    generator = UI / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
    with tempfile.TemporaryDirectory() as folder:
        document, types = Path(folder) / "openapi.json", Path(folder) / "api.ts"
        document.write_text(json.dumps(build_document(create_app(Settings()))))
        arguments: list[str | Path] = [node.program, generator, document, "--alphabetize", "-o", types]
        run(arguments, node, seconds=_SECONDS, what="Making the types of the API")
        return types.read_text()
