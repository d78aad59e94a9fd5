"""A real OpenID provider: `oidc-provider` under Node.js, and a person at its forms."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import httpx

from cli.ui_toolchain import ensure_node, ensure_packages
from tests.product import PATIENCE_SECONDS, ROOT

FOLDER = ROOT / "tests" / "resources" / "oidc-provider"
CLIENT_SECRET = "a secret of forty-eight characters, for tests only"
REDIRECT_URI = "http://127.0.0.1:8000/v1/auth/oidc/callback"
PEOPLE = {
    "grace": {"email": "Grace@Example.com", "email_verified": True, "name": "Grace Hopper", "groups": ["devs"]},
    "mallory": {"email": "mallory@elsewhere.example", "email_verified": True, "name": "Mallory", "groups": []},
}


@contextmanager
def identity_provider(redirect_uri: str = REDIRECT_URI) -> Iterator[str]:
    """The issuer of a running provider, which leads browsers back to `redirect_uri` alone."""
    node = ensure_node()
    ensure_packages(node, FOLDER)
    settings = json.dumps({"redirect_uri": redirect_uri, "people": PEOPLE})
    process = subprocess.Popen(
        [node.program, FOLDER / "provider.mjs"],
        cwd=FOLDER,
        env={**node.environment, "OIDC_TEST": settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        issuer = process.stdout.readline().strip()
        assert issuer.startswith("http://127.0.0.1:"), f"the provider ended with code {process.poll()}"
        yield issuer
    finally:
        process.stdin.close()
        process.wait(PATIENCE_SECONDS)
        process.stdout.close()


async def sign_in_there(url: str, subject: str) -> str:
    """Be somebody at the provider's forms: the address that it leads the browser back to."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as person:
        answer = await person.get(url)
        while True:
            if not answer.is_redirect:
                form = _Form(answer.raise_for_status().text)
                typed = {"login": subject, "password": "any"} if "login" in form.fields else {}
                answer = await person.post(urljoin(str(answer.url), form.action), data={**form.fields, **typed})
                continue
            location = urljoin(str(answer.url), answer.headers["location"])
            if location.startswith(REDIRECT_URI):
                return location
            answer = await person.get(location)


async def cancel_there(url: str) -> str:
    """Cancel at the provider's form: the address that it leads the browser back to."""
    async with httpx.AsyncClient(timeout=PATIENCE_SECONDS, follow_redirects=False) as person:
        answer = await person.get(url)
        answer = await person.get(urljoin(str(answer.url), answer.headers["location"]))
        form = _Form(answer.raise_for_status().text)
        answer = await person.get(urljoin(str(answer.url), form.abort))
        while not (location := urljoin(str(answer.url), answer.headers["location"])).startswith(REDIRECT_URI):
            answer = await person.get(location)
        return location


class _Form(HTMLParser):
    """The form of a page: where it goes, its fields, and the way out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = self.abort = ""
        self.fields: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found: dict[str, Any] = dict(attrs)
        if tag == "form":
            self.action = found["action"]
        elif tag == "input" and "name" in found:
            self.fields[found["name"]] = found.get("value") or ""
        elif tag == "a" and str(found.get("href", "")).endswith("/abort"):
            self.abort = found["href"]
