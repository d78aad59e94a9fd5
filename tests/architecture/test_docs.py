"""What the documentation points at exists."""

import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, python_files

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TOP = "app|engine|cli|tests|alembic|docs|requirements|ops|ui|loadtests"
# `engine/core/advance.py`, `app/runs/`; not a pattern with <, * or {.
PATH = re.compile(rf"`((?:{TOP})/[\w./-]*|(?:worker|relay)\.py|Dockerfile|docker-compose\.yml|flowforge)`")
# `Engine.drain`, `wake_at`; no path, no call of the API.
NAME = re.compile(r"`([A-Za-z_][\w.]*)`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def test_there_is_documentation() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    paths = [ROOT / found for found in PATH.findall(text)]
    links = [page.parent / found for found in LINK.findall(text)]
    assert [str(path.relative_to(ROOT)) for path in (*paths, *links) if not path.exists()] == []


def test_what_the_glossary_names_in_the_code_is_there() -> None:
    rows = [line.strip("|").split(" | ") for line in (ROOT / "docs" / "glossary.md").read_text().splitlines()]
    named = [name for row in rows if len(row) == 3 for name in NAME.findall(row[2])]
    assert len(named) > 40
    code = "\n".join(path.read_text() for path in python_files("app", "engine", "alembic"))
    assert [name for name in named if name.rpartition(".")[2] not in code] == []
