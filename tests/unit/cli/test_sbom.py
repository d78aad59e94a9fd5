"""The bill of materials says what the lock files say, package by package."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli.commands.sbom import ROOT, UI_LOCK, command
from cli.security.materials import read_npm, read_python

PIN = re.compile(r"^([a-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
DIGEST = "sha512-" + "A" * 86 + "=="


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sbom")
    answer = CliRunner().invoke(command, ["--output", str(path)], standalone_mode=False)
    assert answer.exception is None
    return path


def read(folder: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / name).read_text())
    return document


def list_pins(kind: str) -> set[tuple[str, str]]:
    return set(PIN.findall((ROOT / "requirements" / f"{kind}.txt").read_text()))


def test_every_python_package_is_there_with_its_hashes_and_what_it_is_for(folder: Path) -> None:
    bill = read(folder, "flowforge-python.cdx.json")
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    scopes = {(each["name"], each["version"]): each["scope"] for each in bill["components"]}
    runtime, local = list_pins("runtime"), list_pins("local")
    assert scopes.keys() == runtime | local | list_pins("dev")
    assert {key for key, scope in scopes.items() if scope == "required"} == runtime
    assert {key for key, scope in scopes.items() if scope == "optional"} == local - runtime
    assert all(each["hashes"] and each["purl"].startswith("pkg:pypi/") for each in bill["components"])


def test_every_package_of_the_web_app_is_there_with_its_hash(folder: Path) -> None:
    bill = read(folder, "flowforge-web.cdx.json")
    places = {place: told for place, told in json.loads(UI_LOCK.read_text())["packages"].items() if place}
    found = {each["bom-ref"].removeprefix("npm:"): each for each in bill["components"]}
    assert found.keys() == places.keys()
    for place, told in places.items():
        assert found[place]["version"] == told["version"]
        assert (found[place]["scope"] == "excluded") is bool(told.get("dev"))
        assert [each["alg"] for each in found[place]["hashes"]] == ["SHA-512"]


@pytest.mark.parametrize("name", ["flowforge-python.cdx.json", "flowforge-web.cdx.json"])
def test_the_product_leads_to_every_package(folder: Path, name: str) -> None:
    bill = read(folder, name)
    edges = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    reached, left = set(), [bill["metadata"]["component"]["bom-ref"]]
    while left:
        if (ref := left.pop()) not in reached:
            reached.add(ref)
            left += edges[ref]
    assert {each["bom-ref"] for each in bill["components"]} <= reached


def test_the_same_locks_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    CliRunner().invoke(command, ["--output", str(tmp_path)], standalone_mode=False)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
        assert str(ROOT) not in path.read_text()


def test_who_brings_a_package_is_read_from_the_lock(tmp_path: Path) -> None:
    hashed = f"\\\n    --hash=sha256:{'a' * 64}\n"
    one = f"one==1.0 {hashed}    # via flowforge (pyproject.toml)\n"
    two = f"two==2.0 ; python_version < '3.12' {hashed}    # via\n    #   flowforge (x)\n    #   one\n"
    texts = {"runtime": one + two, "local": "", "dev": f"three==3.0 {hashed}    # via two\n"}
    for kind, text in texts.items():
        (tmp_path / f"{kind}.txt").write_text(text)
    found = {each.name: each for each in read_python(tmp_path)}
    assert {name: each.brings for name, each in found.items()} == {
        "one": ("two@2.0",),
        "two": ("three@3.0",),
        "three": (),
    }
    assert {name: each.scope for name, each in found.items()} == {
        "one": "required",
        "two": "required",
        "three": "excluded",
    }


def test_a_package_brings_the_nearest_of_a_name(tmp_path: Path) -> None:
    outer = {"version": "1.0.0", "integrity": DIGEST}
    inner = {"version": "2.0.0", "integrity": DIGEST}
    user = {"version": "1.0.0", "integrity": DIGEST, "dependencies": {"b": "*", "c": "*"}}
    lock = tmp_path / "package-lock.json"
    packages = {"": {}, "node_modules/a": user, "node_modules/a/node_modules/b": inner, "node_modules/b": outer}
    lock.write_text(json.dumps({"packages": {**packages, "node_modules/@s/c": user}}))
    found = {each.key: each for each in read_npm(lock)}
    assert found["node_modules/a"].brings == ("node_modules/a/node_modules/b",)
    assert found["node_modules/@s/c"].brings == ("node_modules/b",)
    assert found["node_modules/@s/c"].name == "@s/c"
    assert found["node_modules/b"].hashes == (("SHA-512", "0" * 128),)
