"""The image and the compose file, checked as far as that goes without building them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cli.main import program
from engine.infra.settings import Settings, environment_name
from tests.architecture.sources import ROOT

PROGRAMS = Path(sys.executable).parent
OWN_SERVICES = ("migrate", "api", "relay", "worker")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return content


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_compose_file_follows_the_schema() -> None:
    answer = run(PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_dockerfile_passes_its_linter() -> None:
    answer = run(PROGRAMS / "hadolint", "Dockerfile")
    assert answer.returncode == 0, answer.stdout


def test_the_image_copies_what_is_there_and_not_ignored() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        for source in line.split()[:-1]
    ]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied
    assert [source for source in copied if not (ROOT / source).exists() or source not in let_in] == []


def test_every_service_runs_a_command_that_exists(compose: dict[str, Any]) -> None:
    known = program.list_commands(click.Context(program))
    commands = {name: compose["services"][name]["command"][0] for name in OWN_SERVICES}
    assert commands == {name: name for name in OWN_SERVICES}
    assert [command for command in commands.values() if command not in known] == []


def test_services_set_settings_that_exist(compose: dict[str, Any]) -> None:
    known = {environment_name(field) for field in Settings.__struct_fields__}
    used = {name for service in OWN_SERVICES for name in compose["services"][service]["environment"]}
    assert used - known == set()
    for name in re.findall(r"FLOWFORGE_[A-Z_]+(?==)", (ROOT / "Dockerfile").read_text()):
        assert name in known


def test_secrets_have_no_default(compose: dict[str, Any]) -> None:
    text = json.dumps(compose)
    used = re.findall(r"\$\{(FLOWFORGE_\w*(?:PASSWORD|KEY|TOKEN))(.)", text)
    assert used
    assert [name for name, marker in used if marker not in ":?"] == []
    assert re.findall(r"\$\{FLOWFORGE_\w*(?:PASSWORD|KEY|TOKEN):?-", text) == []


def test_a_service_gets_time_to_drain(compose: dict[str, Any]) -> None:
    drain = Settings().drain_seconds
    for name in ("api", "relay", "worker"):
        assert int(compose["services"][name]["stop_grace_period"].rstrip("s")) > drain
