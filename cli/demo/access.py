"""Who loads the demo: somebody who has signed in, or the first user of a product that has none yet."""

import contextlib
import os
import secrets
from pathlib import Path
from shlex import quote
from typing import Final
from urllib.parse import urlsplit

import msgspec

from cli.client.api import Api
from cli.client.errors import UNUSABLE, ClientError
from cli.client.sessions import Sessions
from cli.client.wire import Disconnected, Wire
from cli.demo.place import Place
from cli.demo.telling import tell

EMAIL: Final = "demo@flowforge.example"


def sign_in(place: Place) -> tuple[Api, Api]:
    """Two connections of one user who may load workflows; raises ClientError where nobody has signed in."""
    sessions, key = Sessions(), os.environ.get("FLOWFORGE_API_KEY")
    if _needs_setup(place.url):
        # No key can be of a product without users.
        key = None
        _set_up(place, sessions)
    elif not key and sessions.find(place.url) is None:
        _sign_in_by_environment(place.url, sessions)
    api = Api(place.url, sessions, key)
    try:
        me = api.get("/v1/auth/me")
    except ClientError as error:
        if place.is_ours and error.code == UNUSABLE:
            raise ClientError(_explain(place), UNUSABLE) from None
        raise
    tell("user", f"{me['user']['email']} in the workspace {me['workspace']['name']!r}")
    return api, Api(place.url, sessions, key)


def _explain(place: Place) -> str:
    """The product that one would have to sign in to ends with the demo."""
    start = f"./flowforge up --data-dir {quote(str(place.folder))} --port {urlsplit(place.url).port}"
    return (
        f"The FlowForge on {place.folder} was set up before, and you are not signed in there. Start it with `{start}`, "
        f"run `./flowforge login --url {place.url}` and then this again; or name another data folder by --data-dir."
    )


def _needs_setup(url: str) -> bool:
    try:
        answer = msgspec.json.decode(Wire(url).send("GET", "/v1/setup", {}).body)
    except Disconnected as error:
        raise ClientError(f"{url} broke the connection off: {error}. Try again.", UNUSABLE) from None
    except msgspec.DecodeError:
        raise ClientError(f"What answers at {url} is not FlowForge. Correct --url.", UNUSABLE) from None
    return isinstance(answer, dict) and answer.get("needed") is True


def _sign_in_by_environment(url: str, sessions: Sessions) -> None:
    """As `login` does without a terminal."""
    email, password = os.environ.get("FLOWFORGE_EMAIL"), os.environ.get("FLOWFORGE_PASSWORD")
    if email and password:
        body = {"email": email, "password": password}
        sessions.keep(url, Api(url, sessions).sign_in("/v1/auth/login", body))


def _set_up(place: Place, sessions: Sessions) -> None:
    """Make the first user, with a password that is shown this once."""
    password = secrets.token_urlsafe(15)
    body = {"email": EMAIL, "password": password, "name": "Demo", "workspace": "Demo"}
    if token := _find_setup_token(place.folder):
        body["setup_token"] = token
    sessions.keep(place.url, Api(place.url, sessions).sign_in("/v1/setup", body))
    tell("first user", f"{EMAIL} with the password {password} (shown this once)")


def _find_setup_token(folder: Path) -> str:
    with contextlib.suppress(OSError):
        return (folder / "setup.token").read_text().strip()
    return os.environ.get("FLOWFORGE_SETUP_TOKEN", "")
