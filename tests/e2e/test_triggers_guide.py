"""The commands of the guide on triggers deliver what they say, as a user's shell runs them."""

import base64
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.e2e.client import Client, Published
from tests.e2e.steps import define, transform
from tests.product import ROOT, clean_environment

Publish = Callable[..., Published]
GUIDE = (ROOT / "docs" / "guides" / "triggers.md").read_text()
STANDARD = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()
SECRETS = {"standard_webhooks": STANDARD, "basic": "shop:pass word", "bearer": "t0ken-of-the-shop"}
# What the guide's command needs beside the type.
MORE: dict[str, dict[str, Any]] = {"hmac": {"encoding": "base64"}}


def find_commands() -> dict[str, str]:
    """The commands of each kind of authentication: the block that follows its name."""
    section = GUIDE.split("\n## Authentication\n")[1].split("\n## ")[0]
    found: dict[str, str] = {}
    kinds: list[str] = []
    for part in re.split(r"(```sh\n.*?```)", section, flags=re.DOTALL):
        if part.startswith("```sh"):
            lines = part.removeprefix("```sh\n").removesuffix("```")
            if len(kinds) == 1:
                found[kinds[0]] = lines
            else:
                # One line a kind, told by the comment at its end.
                found |= {kind: line for kind in kinds for line in lines.splitlines() if line.endswith(f"# {kind}")}
        else:
            kinds = re.findall(r"(?:^|and )\*\*`(\w+)`\*\* `\{", part, flags=re.MULTILINE)
    return found


COMMANDS = find_commands()


def test_the_guide_shows_each_kind_of_authentication() -> None:
    assert set(COMMANDS) == {"github", "stripe", "slack", "basic", "bearer", "hmac", "standard_webhooks"}


@pytest.mark.skipif(not (which("openssl") and which("curl")), reason="the guide's commands need openssl and curl")
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_command_of_the_guide_delivers_an_event(
    client: Client, publish_workflow: Publish, tmp_path: Path, kind: str
) -> None:
    secret = SECRETS.get(kind, "a secret of some length")
    config = {"auth": {"type": kind, "secret": secret, **MORE.get(kind, {})}}
    published = publish_workflow(define(transform("keep", id="{{ trigger.body.id }}")), config=config)
    (tmp_path / "body.json").write_text('{"id": 7,\n "name": "Größe"}\n')
    environment = clean_environment(url=published.hook, secret=secret)
    for given, count in ((OTHER, 0), (secret, 1)):
        answer = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", COMMANDS[kind]],
            cwd=tmp_path,
            env={**environment, "secret": given},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert ("run_id" in answer.stdout) == bool(count), answer.stdout
        assert len(client.read("/v1/runs", workflow_id=published.id)["items"]) == count
