"""The lock files: exact, hashed, free of addresses, and one inside the other."""

import re

import pytest

from tests.architecture.sources import ROOT

KINDS = ("installer", "node", "runtime", "local", "dev")
NPM_FOLDERS = ("ui", "ui/lint", "tests/resources/oidc-provider")
PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(kind: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements" / f"{kind}.txt").read_text()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_names_no_address(kind: str) -> None:
    text = (ROOT / "requirements" / f"{kind}.txt").read_text()
    assert re.findall(r"https?:|file:|git\+|--(?:extra-)?index-url|--find-links| @ ", text) == []


@pytest.mark.parametrize("folder", NPM_FOLDERS)
def test_a_lock_of_npm_names_no_address(folder: str) -> None:
    # npm writes where packages ask for money beside them: take `funding` out again.
    assert re.findall(r"\w+://[^/\"]+", (ROOT / folder / "package-lock.json").read_text()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_pin_has_hashes(kind: str) -> None:
    text = (ROOT / "requirements" / f"{kind}.txt").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert entries
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(("smaller", "larger"), [("runtime", "local"), ("local", "dev")])
def test_the_larger_lock_satisfies_the_smaller(smaller: str, larger: str) -> None:
    # `./flowforge up` takes an environment made for `test` as it is.
    have = pins(larger)
    assert {
        name: (version, have.get(name)) for name, version in pins(smaller).items() if have.get(name) != version
    } == {}


@pytest.mark.parametrize("folder", NPM_FOLDERS)
def test_no_package_of_npm_runs_anything_as_it_is_installed(folder: str) -> None:
    assert "ignore-scripts=true" in (ROOT / folder / ".npmrc").read_text().splitlines()
    # So that nothing is missing for it.
    assert "hasInstallScript" not in (ROOT / folder / "package-lock.json").read_text()
