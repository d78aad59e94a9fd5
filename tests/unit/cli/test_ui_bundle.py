"""The build of the web app: when it happens, and that nothing else depends on it. No Node.js needed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.web.bundle import failure_note
from cli import ui_bundle, ui_toolchain
from cli.ui_toolchain import Node, UiError
from engine.infra.settings import Settings, load_settings
from tests.product import ROOT

Build = Callable[[], None]


@pytest.fixture
def ui(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources of a web app, and a place for its bundle."""
    ui = tmp_path / "ui"
    (ui / "src").mkdir(parents=True)
    (ui / "src" / "main.tsx").write_text("export {}")
    for name in ("index.html", "package-lock.json", "package.json", "tsconfig.json", "vite.config.ts"):
        (ui / name).write_text("{}")
    monkeypatch.setattr(ui_bundle, "UI", ui)
    monkeypatch.setattr(ui_bundle, "FOLDER", tmp_path / "bundle")
    return ui


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The builds that were made: each writes what Vite would."""
    made: list[str] = []

    def run(arguments: list[str | Path], node: Node, *, seconds: float, what: str) -> str:
        del node, seconds
        made.append(what)
        built = Path(arguments[arguments.index("--outDir") + 1])
        built.mkdir()
        (built / "index.html").write_text(f"build {len(made)}")
        return ""

    monkeypatch.setattr(ui_bundle, "ensure_node", lambda: Node(Path("node"), Path("npm")))
    monkeypatch.setattr(ui_bundle, "ensure_packages", lambda _: None)
    monkeypatch.setattr(ui_bundle, "run", run)
    return made


def place(ui: Path) -> Path:
    """Where the bundle of these sources goes."""
    return ui.parent / "bundle"


def test_the_bundle_is_built_once_and_again_when_its_sources_have_changed(ui: Path, builds: list[str]) -> None:
    ui_bundle.ensure_bundle()
    ui_bundle.ensure_bundle()
    assert len(builds) == 1
    (ui / "src" / "main.tsx").write_text("export const changed = true")
    assert not ui_bundle.is_current()
    ui_bundle.ensure_bundle()
    assert len(builds) == 2
    assert (place(ui) / "index.html").read_text() == "build 2"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda ui: (ui / "src" / "new.ts").write_text(""), id="a new file"),
        pytest.param(lambda ui: (ui / "src" / "main.tsx").rename(ui / "src" / "other.tsx"), id="another name"),
        pytest.param(lambda ui: (ui / "package-lock.json").write_text("[]"), id="other packages"),
        pytest.param(lambda ui: (ui / "src" / "main.tsx").unlink(), id="a file less"),
    ],
)
def test_whatever_the_bundle_is_made_from_counts(ui: Path, builds: list[str], change: Callable[[Path], None]) -> None:
    ui_bundle.ensure_bundle()
    change(ui)
    assert not ui_bundle.is_current()


def test_tests_of_the_web_app_are_no_part_of_the_bundle(ui: Path, builds: list[str]) -> None:
    ui_bundle.ensure_bundle()
    (ui / "e2e").mkdir()
    (ui / "e2e" / "new.spec.ts").write_text("")
    assert ui_bundle.is_current()


def test_nothing_of_a_build_is_left_but_the_bundle(ui: Path, builds: list[str]) -> None:
    ui_bundle.ensure_bundle()
    (ui / "index.html").write_text("changed")
    ui_bundle.ensure_bundle()
    assert sorted(path.name for path in ui.parent.iterdir()) == ["bundle", "bundle.lock", "ui"]


def test_a_build_that_fails_raises_nothing_keeps_the_bundle_and_says_why(
    ui: Path, builds: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ui_bundle.ensure_bundle()
    (ui / "index.html").write_text("changed")

    def refuse() -> Node:
        raise UiError("There is no Node.js.")

    monkeypatch.setattr(ui_bundle, "ensure_node", refuse)
    ui_bundle.try_bundle()
    assert "the web app is not built, all else works. There is no Node.js." in capsys.readouterr().err
    note = failure_note(place(ui))
    assert json.loads(note.read_text()) == {"why": "There is no Node.js."}
    assert (place(ui) / "index.html").read_text() == "build 1"


def test_a_build_that_goes_well_takes_the_note_of_a_failure_away(ui: Path, builds: list[str]) -> None:
    note = failure_note(place(ui))
    note.write_text("{}")
    ui_bundle.try_bundle()
    assert not note.exists()


def test_a_place_that_cannot_be_written_to_keeps_nothing_from_starting(
    ui: Path, builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ui_bundle, "FOLDER", Path("/proc/flowforge/bundle"))
    ui_bundle.try_bundle()
    assert builds == []


def test_an_image_without_sources_builds_nothing(ui: Path, builds: list[str]) -> None:
    shutil.rmtree(ui)
    ui_bundle.try_bundle()
    assert builds == []


def test_a_program_that_starts_the_product_itself_gets_no_build_unless_it_says_so() -> None:
    assert Settings().build_web is False
    assert load_settings({"FLOWFORGE_BUILD_WEB": "true"}).build_web is True
    assert "FLOWFORGE_BUILD_WEB" in (ROOT / "flowforge").read_text()


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo v18.20.4", "too old"),
        ("echo v20.18.0", "too old by a little"),
        ("exit 1", "broken"),
        ("echo 3.11", "no Node.js"),
    ],
)
def test_a_node_that_cannot_be_used_is_not_taken(tmp_path: Path, script: str, why: str) -> None:
    program = tmp_path / "node"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert ui_toolchain._as_node(program) is None, why


def test_a_program_of_the_web_app_sees_no_setting_of_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWFORGE_SECRET_KEY", "secret")
    environment = Node(Path("/opt/node/bin/node"), Path("/opt/npm.js")).environment
    assert environment["PATH"].startswith("/opt/node/bin:")
    assert [name for name in environment if name.startswith("FLOWFORGE_")] == []
