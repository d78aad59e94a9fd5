"""`login`: sign in for the commands of the client."""

import os
import sys

import click

from cli.client.api import Api
from cli.client.errors import UNUSABLE, ClientError
from cli.client.options import end_well, find_url
from cli.client.sessions import Session, Sessions


@click.command()
@click.option("--url", help="The product's address (FLOWFORGE_URL; else where you signed in last, else here).")
@click.option("--email", help="Who signs in (FLOWFORGE_EMAIL); asked for if left out.")
@click.option("--token", help="An API key to keep instead of a password (FLOWFORGE_API_KEY).")
def command(url: str | None, email: str | None, token: str | None) -> int:
    """Sign in, and keep the tokens for `run`, `import` and the others.

    The password is asked for, or comes from FLOWFORGE_PASSWORD. Tokens are kept in your configuration folder, in a file
    that only you can read.
    """
    return end_well(lambda: _log_in(url, email, token or os.environ.get("FLOWFORGE_API_KEY")))


def _log_in(url: str | None, email: str | None, token: str | None) -> None:
    sessions = Sessions()
    address = find_url(url, sessions)
    if token:
        session = Session(access_token=token)
        me = Api(address, sessions, token).get("/v1/auth/me")
    else:
        body = {"email": email or os.environ.get("FLOWFORGE_EMAIL") or _ask("Email"), "password": _read_password()}
        api = Api(address, sessions)
        session = api.sign_in("/v1/auth/login", body)
        me = Api(address, sessions, session.access_token).get("/v1/auth/me")
    sessions.keep(address, session)
    click.echo(f"Signed in at {address} as {me['user']['email']}, {me['role']} of {me['workspace']['name']!r}.")


def _read_password() -> str:
    return os.environ.get("FLOWFORGE_PASSWORD") or _ask("Password", is_secret=True)


def _ask(what: str, *, is_secret: bool = False) -> str:
    hint = "" if is_secret else " (--email)"
    missing = ClientError(
        f"{what}{hint} is missing; without a terminal it comes from FLOWFORGE_{what.upper()}.", UNUSABLE
    )
    if is_secret and not _has_terminal():
        # It would be read, and shown, all the same.
        raise missing
    try:
        answer: str = click.prompt(what, hide_input=is_secret, err=True)
    except click.Abort:
        raise missing from None
    return answer


def _has_terminal() -> bool:
    """Whether a secret can be asked for without showing it: by stdin, or past what is piped into it."""
    if sys.stdin.isatty():
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
