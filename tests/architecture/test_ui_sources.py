"""The rules of the web app's sources that need no Node.js to be checked."""

import json
import re
from pathlib import Path

import pytest

from app.main import create_app
from app.openapi import build_document
from engine.infra.settings import Settings
from tests.architecture.sources import ROOT

UI = ROOT / "ui"
# The web app's own, and those of its linter, which nobody needs who only builds it.
PACKAGES = [pytest.param(UI, id="ui"), pytest.param(UI / "lint", id="lint")]
SOURCES = sorted(
    path
    for folder in ("src", "e2e")
    for path in (UI / folder).rglob("*")
    if path.suffix in {".ts", ".tsx"} and "generated" not in path.parts
)
LONGEST_FILE = 250
LARGEST_PICTURE = 60_000
IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*["']([^"']+)["']""")
# What each layer may import, besides packages and itself.
LAYERS = {
    "generated": set[str](),
    "lib": {"generated"},
    "components": {"lib", "generated"},
    "features": {"components", "lib", "generated"},
    "pages": {"features", "components", "lib", "generated"},
    "app": {"pages", "features", "components", "lib", "generated"},
}
# In these, each folder stands for itself.
APART = {"features", "pages"}

# Of the same draft the same version is made, and of the same version the same draft; what many runs were told stands.
DONE_ONCE_ANYWAY = {
    "/v1/runs/bulk",
    "/v1/workflows/{workflow_id}/publish",
    "/v1/workflows/{workflow_id}/versions/{version}/restore",
}


def name(path: Path) -> str:
    return path.relative_to(UI).as_posix()


def test_there_are_sources() -> None:
    assert SOURCES


def test_no_file_is_longer_than_250_lines() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {file: length for file, length in lengths.items() if length > LONGEST_FILE} == {}


def test_names_are_kebab_case_and_there_are_no_barrels() -> None:
    wrong = [
        name(path) for path in SOURCES if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*(\.test|\.spec)?\.tsx?", path.name)
    ]
    assert wrong == []
    assert [name(path) for path in SOURCES if path.stem == "index"] == []


def test_imports_go_down_only_and_no_page_or_feature_imports_another() -> None:
    wrong = []
    for path in SOURCES:
        parts = path.relative_to(UI / "src").parts if path.is_relative_to(UI / "src") else ()
        if len(parts) < 2:
            # main.tsx puts everything together; journeys import nothing of the app.
            continue
        for target in IMPORT.findall(path.read_text()):
            goal = resolve(path, target)
            if goal is None or goal[0] not in LAYERS:
                continue
            is_same = goal[0] == parts[0] and (parts[0] not in APART or goal[1] == parts[1])
            if not (is_same or goal[0] in LAYERS[parts[0]]):
                wrong.append(f"{name(path)} imports {target}")
    assert wrong == []


def resolve(path: Path, target: str) -> tuple[str, ...] | None:
    """The parts of what is imported below `src/`; None for a package."""
    if target.startswith("@/"):
        return tuple(target[2:].split("/"))
    if target.startswith("."):
        goal = (path.parent / target).resolve()
        return goal.relative_to(UI / "src").parts if goal.is_relative_to(UI / "src") else None
    return None


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"dangerouslySetInnerHTML", "text from outside is text"),
        (r"\beval\(|new Function\(", "the page's policy refuses it"),
        (r":\s*any\b|\bas any\b|<any>", "types say what comes"),
        (r"@ts-(ignore|nocheck)", "types say what comes"),
        (r"waitForTimeout", "tests wait for states"),
    ],
)
def test_sources_do_without(pattern: str, why: str) -> None:
    assert [name(path) for path in SOURCES if re.search(pattern, path.read_text())] == [], why


def test_what_is_asked_for_again_since_its_answer_was_lost_is_done_once() -> None:
    document = build_document(create_app(Settings(database_url="postgresql://nowhere")))
    repeatable = {
        path
        for path, item in document["paths"].items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in item.get("post", {}).get("parameters", []))
    }
    calls = re.compile(r"""api\.POST\(\s*"([^"]+)"(?:,\s*\{\s*(params: \{[^{}]*(?:\{[^{}]*\})?[^{}]*\}))?""")
    shipped = [path.read_text() for path in SOURCES if path.is_relative_to(UI / "src") and ".test." not in path.name]
    found = [call for text in shipped for call in calls.findall(text)]
    # The body is a file, for which the generated client has no type.
    found += [("/v1/workflows/import", text) for text in shipped if '"/v1/workflows/import"' in text]
    assert {path for path, told in found if path in repeatable - DONE_ONCE_ANYWAY and "header" not in told} == set()
    # One that this does not find would not be looked at; a single step is tried out by no page.
    assert repeatable - {path for path, _ in found} == {"/v1/workflows/{workflow_id}/steps/{step}/test"}


def test_colours_are_tokens() -> None:
    shipped = [path for path in SOURCES if path.is_relative_to(UI / "src") and ".test." not in path.name]
    colour = re.compile(r"#[0-9a-fA-F]{6}\b|\brgb\(")
    assert [name(path) for path in shipped if colour.search(path.read_text())] == []


def test_numbers_and_times_are_told_in_one_place() -> None:
    shipped = [path for path in SOURCES if path.is_relative_to(UI / "src") and ".test." not in path.name]
    telling = re.compile(r"new Intl\.|\.toLocale(Date|Time)?String\(")
    assert [name(path) for path in shipped if telling.search(path.read_text())] == ["src/lib/format.ts"]


@pytest.mark.parametrize("folder", PACKAGES)
def test_the_lock_of_packages_names_no_registry(folder: Path) -> None:
    lock = json.loads((folder / "package-lock.json").read_text())
    packages = {path: entry for path, entry in lock["packages"].items() if path}
    assert packages
    assert [path for path, entry in packages.items() if "resolved" in entry] == []
    assert [path for path, entry in packages.items() if not entry.get("integrity", "").startswith("sha512-")] == []
    assert "omit-lockfile-registry-resolved=true" in (folder / ".npmrc").read_text()
    assert "registry=" not in (folder / ".npmrc").read_text().replace("omit-lockfile-registry-resolved", "")


@pytest.mark.parametrize("folder", PACKAGES)
def test_packages_are_pinned_exactly(folder: Path) -> None:
    package = json.loads((folder / "package.json").read_text())
    wanted = {**package.get("dependencies", {}), **package["devDependencies"]}
    assert wanted
    assert {name: version for name, version in wanted.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)} == {}


def test_every_page_has_its_pictures() -> None:
    # The design system is no page of the documentation.
    apart = {"/catalogue"}
    router = (UI / "src" / "app" / "router.tsx").read_text()
    routes = set(re.findall(r'^\s*path: "(/[^"]*)"', router, re.MULTILINE)) - apart
    listed = (UI / "e2e" / "pictures" / "pages.ts").read_text()
    shown = re.findall(r'path: \([^)]*\) => ["`]([^"`?#]+)', listed)
    assert routes
    assert {re.sub(r"\$\w+", "$", route) for route in routes} == {re.sub(r"\$\{\w+\}", "$", path) for path in shown}
    names = re.findall(r'name: "([a-z-]+)",\s*path:', listed)
    pictures = {path.name: path.stat().st_size for path in (ROOT / "docs" / "screenshots").iterdir()}
    assert pictures.keys() == {f"{page}-{theme}.webp" for page in names for theme in ("light", "dark")}, (
        "take them anew: `./flowforge ui pictures`"
    )
    assert {file: size for file, size in pictures.items() if size > LARGEST_PICTURE} == {}
