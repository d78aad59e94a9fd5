"""Guides whose examples go on from the tour, pasted into one bash: what they show is what comes out."""

import shlex

import pytest

from tests.e2e.client import Client
from tests.e2e.target import Reply, Target
from tests.e2e.test_readme_tour import BLOCK, find_missing, paste
from tests.product import ROOT, Product

PRELUDE = """
pick() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
ff() { curl -sS -H "Authorization: Bearer $token" -H 'Content-Type: application/json' "$@"; }
"""


@pytest.mark.parametrize(("guide", "examples"), [("steering-runs", 7), ("access", 4)])
def test_a_guide_shows_what_comes_out(
    product: Product, client: Client, target: Target, guide: str, examples: int
) -> None:
    target.plan("/pay", Reply(status=404), Reply())
    token = client.http.headers["authorization"].removeprefix("Bearer ")
    given = {"api": f"{product.url}/v1", "target": target.base, "token": token}
    blocks = BLOCK.findall((ROOT / "docs" / "guides" / f"{guide}.md").read_text())
    commands = [text for kind, text in blocks if kind == "bash"]
    assert len(commands) >= examples
    settings = "\n".join(f"{name}={shlex.quote(value)}" for name, value in given.items())
    code, printed = paste("\n".join([settings, PRELUDE, *commands]))
    assert code == 0, printed
    shown = [line for kind, text in blocks if kind == "text" for line in text.splitlines()]
    missing = find_missing(shown, printed.splitlines())
    assert missing is None, f"the guide shows {missing!r}, but this came:\n{printed}"
