"""Everything that leaves the product goes through the one guarded client."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
CLIENTS = {"aiohttp", "httpx", "requests", "urllib.request", "urllib3", "http.client"}
HOME = "engine/infra/http_"


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_only_the_client_imports_a_library_that_opens_connections_to_targets() -> None:
    found = {
        str(path.relative_to(ROOT)): sorted(names)
        for folder in ("app", "engine")
        for path in (ROOT / folder).rglob("*.py")
        if (names := {name for name in imported(path) if name in CLIENTS or name.startswith("aiohttp.")})
    }
    assert any(path.startswith(HOME) for path in found)
    assert {path: names for path, names in found.items() if not path.startswith(HOME)} == {}
