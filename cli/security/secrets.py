"""A search for secrets in the sources, by detect-secrets: what it finds beyond `.secrets.baseline` fails the check.

Run as a program; `--accept` writes the baseline anew. Whatever was looked at is remembered under `build/`, so that a
second look is at what has changed alone. Tests are left out: they are full of secrets that open nothing.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

from detect_secrets.__version__ import VERSION
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT: Final = Path(__file__).resolve().parent.parent.parent
BASELINE: Final = ROOT / ".secrets.baseline"
REMEMBERED: Final = ROOT / "build" / "check" / "secrets.json"
FOLDERS: Final = ("alembic", "app", "cli", "docs", "engine", "loadtests", "ui/src")
TOP: Final = ("*.md", "*.py", "*.toml", "*.yml", "Dockerfile", "flowforge")
SUFFIXES: Final = frozenset(
    {".css", ".html", ".ini", ".json", ".mako", ".md", ".py", ".toml", ".ts", ".tsx", ".yaml", ".yml"}
)
# Written by a program, and minutes long to look at.
GENERATED: Final = ("app/web/bundle/", "ui/src/generated/")
# What looks like a secret and is none. None of them asks anybody outside.
_FILTERS: Final = (
    "allowlist.is_line_allowlisted",
    "heuristic.is_indirect_reference",
    "heuristic.is_likely_id_string",
    "heuristic.is_not_alphanumeric_string",
    "heuristic.is_potential_uuid",
    "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string",
    "heuristic.is_templated_secret",
)
# A file, a kind of secret, and the digest of what was found.
Finding = tuple[str, str, str]


def list_sources(root: Path) -> list[Path]:
    """The files that are looked at, sorted."""
    below = [path for folder in FOLDERS for path in (root / folder).rglob("*") if path.suffix in SUFFIXES]
    top = [path for pattern in TOP for path in root.glob(pattern)]
    return sorted(
        path for path in below + top if path.is_file() and not str(path.relative_to(root)).startswith(GENERATED)
    )


def find_secrets(root: Path, path: Path) -> list[Finding]:
    """What looks like a secret in one file."""
    with transient_settings(_settings()):
        name = str(path.relative_to(root))
        return sorted({(name, found.type, found.secret_hash) for found in scan_file(str(path))})


def search(root: Path, remembered: Path) -> set[Finding]:
    """What looks like a secret in all sources; files that are as they were are not looked at again."""
    known = _recall(remembered)
    rules = hashlib.sha256(f"{VERSION} {json.dumps(_settings())}".encode()).hexdigest()
    digests = {path: _digest(rules, root, path) for path in list_sources(root)}
    new = [path for path, digest in digests.items() if digest not in known]
    with ProcessPoolExecutor() as processes:
        for path, found in zip(new, processes.map(partial(find_secrets, root), new, chunksize=8), strict=True):
            known[digests[path]] = [list(each) for each in found]
    remembered.parent.mkdir(parents=True, exist_ok=True)
    remembered.write_text(json.dumps({digest: known[digest] for digest in digests.values()}))
    return {(name, kind, digest) for path in digests for name, kind, digest in known[digests[path]]}


def read_baseline(path: Path) -> set[Finding]:
    """The findings that were looked at and are none."""
    results = json.loads(path.read_text())["results"]
    return {(name, each["type"], each["hashed_secret"]) for name, found in results.items() for each in found}


def write_baseline(path: Path, findings: set[Finding]) -> None:
    """Keep findings as none, in the form of detect-secrets."""
    results: dict[str, list[dict[str, str]]] = {}
    for name, kind, digest in sorted(findings):
        results.setdefault(name, []).append({"type": kind, "filename": name, "hashed_secret": digest})
    document = {"version": VERSION, **_settings(), "results": results}
    path.write_text(json.dumps(document, indent=2) + "\n")


def main(arguments: Sequence[str]) -> int:
    """Search, and tell what is new; with `--accept`, write the baseline instead."""
    found = search(ROOT, REMEMBERED)
    if "--accept" in arguments:
        write_baseline(BASELINE, found)
        return 0
    new = sorted(found - read_baseline(BASELINE))
    for name, kind, _ in new:
        sys.stdout.write(f"{name}: {kind}\n")
    if new:
        sys.stdout.write(
            "Is it one? Take it out, and replace it where it opens something. Is it none? Say so beside it with "
            "`pragma: allowlist secret`, or by `.venv/bin/python -m cli.security.secrets --accept`.\n"
        )
    return 1 if new else 0


def _settings() -> dict[str, Any]:
    classes: list[type] = list(get_mapping_from_secret_type_to_class().values())
    names = sorted({one.__name__ for one in classes})
    return {
        "plugins_used": [{"name": name} for name in names],
        "filters_used": [{"path": f"detect_secrets.filters.{name}"} for name in _FILTERS],
    }


def _digest(rules: str, root: Path, path: Path) -> str:
    return hashlib.sha256(f"{rules} {path.relative_to(root)}\n".encode() + path.read_bytes()).hexdigest()


def _recall(remembered: Path) -> dict[str, list[list[str]]]:
    try:
        known: dict[str, list[list[str]]] = json.loads(remembered.read_text())
    except (OSError, ValueError):
        return {}
    return known


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
