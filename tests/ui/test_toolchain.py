"""What the web app promises without a browser: types, unit tests, budgets, and that it fits the API."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from app.web.bundle import FOLDER, HASHED, BundleFolder
from cli.ui_lint import lint_sources
from cli.ui_toolchain import UI, Node, run
from cli.ui_types import TYPES, make_types

pytestmark = [pytest.mark.timeout(900), pytest.mark.without_faults("no database is looked at")]

SECONDS = 400.0
INITIAL_JS = 200_000
INITIAL_CSS = 25_000
LATIN_FONTS = 80_000
ALL = 700_000


def module(name: str) -> Path:
    return UI / "node_modules" / name


def test_the_sources_pass_the_type_checker(node: Node) -> None:
    run(
        [node.program, module("typescript") / "bin" / "tsc", "--noEmit"], node, seconds=SECONDS, what="The type checker"
    )


def test_the_linter_finds_no_fault(node: Node) -> None:
    lint_sources()


def test_the_unit_tests_pass(node: Node) -> None:
    run([node.program, module("vitest") / "vitest.mjs", "run"], node, seconds=SECONDS, what="A unit test")


def test_the_types_are_those_of_the_api(node: Node) -> None:
    assert TYPES.read_text() == make_types(), (
        "the API was changed: run `./flowforge ui types` and commit what it writes"
    )


def test_the_first_page_is_small(bundle: None) -> None:
    sizes = {name: len(compressed(name)) for name in initial_files()}
    assert sum(size for name, size in sizes.items() if name.endswith(".js")) <= INITIAL_JS, sizes
    assert sum(size for name, size in sizes.items() if name.endswith(".css")) <= INITIAL_CSS, sizes
    assert sizes


def test_all_of_it_is_small(bundle: None) -> None:
    # Of the fonts, a page takes the subset of the letters that it shows.
    names = [path.relative_to(FOLDER).as_posix() for path in (FOLDER / HASHED).iterdir()]
    served = [name for name in names if not name.endswith((".br", ".gz"))]
    fonts = [name for name in served if name.endswith(".woff2") and "-latin-wght" in name]
    assert len(fonts) == 2
    assert sum(len(compressed(name)) for name in fonts) <= LATIN_FONTS
    assert sum(len(compressed(name)) for name in served if not name.endswith(".woff2") or name in fonts) <= ALL


def test_every_text_is_there_in_both_compressed_forms(bundle: None) -> None:
    loaded = BundleFolder().load()
    assert loaded is not None
    texts = {name: asset for name, asset in loaded.assets.items() if name.endswith((".js", ".css", ".html", ".svg"))}
    assert texts
    for name, asset in texts.items():
        assert set(asset.bodies) == {"", "br", "gzip"}, name
        assert gzip.decompress(asset.bodies["gzip"]) == asset.bodies[""]
        assert len(asset.bodies["br"]) < len(asset.bodies[""])


def test_what_is_built_names_no_part_of_the_catalogue(bundle: None) -> None:
    assert [path.name for path in (FOLDER / HASHED).iterdir() if "catalogue" in path.name] == []


def initial_files() -> set[str]:
    """What the browser fetches for the dearest page: the entry, the page's own part, and all that these import."""
    manifest: dict[str, Any] = json.loads((FOLDER / ".vite" / "manifest.json").read_text())
    waiting, found = ["index.html"], set[str]()
    while waiting:
        entry = manifest[waiting.pop()]
        if entry["file"] not in found:
            found |= {entry["file"], *entry.get("css", [])}
            waiting += entry.get("imports", [])
    # The dearest page on top: whichever is opened first, it fits.
    pages = [entry for entry in manifest.values() if entry.get("isDynamicEntry") and "/pages/" in entry.get("src", "")]
    assert pages
    dearest = max(pages, key=lambda entry: len(compressed(entry["file"])))
    return found | {dearest["file"], *(manifest[name]["file"] for name in dearest.get("imports", []))}


def compressed(name: str) -> bytes:
    path = FOLDER / name
    smaller = path.with_name(path.name + ".gz")
    return smaller.read_bytes() if smaller.exists() else path.read_bytes()
