"""Where tokens are kept between commands: one file in the user's configuration folder, for its owner alone."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from cli.client.errors import UNUSABLE, ClientError
from cli.servers.process import write_private


class Session(Struct, frozen=True, kw_only=True):
    """Somebody signed in at one product: with a pair of tokens, or with an API key."""

    access_token: str
    refresh_token: str = ""
    email: str = ""


class _Kept(Struct, kw_only=True):
    """What the file holds; `current` is the product that was signed in to last."""

    current: str = ""
    sessions: dict[str, Session] = {}


class Sessions:
    """The sessions of one user of this machine, by the address of their product."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(click.get_app_dir("flowforge"))
        self.path = self._folder / "sessions.json"

    @property
    def current(self) -> str:
        """The address that was signed in to last; empty where there is none."""
        return self._read().current

    def find(self, url: str) -> Session | None:
        """The session at this address."""
        return self._read().sessions.get(url)

    def keep(self, url: str, session: Session, *, is_current: bool = True) -> None:
        """Remember a session in the place of an earlier one at this address."""
        with self.locked():
            kept = self._read()
            kept.sessions[url] = session
            if is_current:
                kept.current = url
            self._write(kept)

    def renew(self, url: str, session: Session) -> None:
        """Replace the tokens of a session while `locked`."""
        kept = self._read()
        kept.sessions[url] = session
        self._write(kept)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One command at a time: a refresh token that is used twice ends its session."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._folder / "sessions.lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise self._unusable(error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> _Kept:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return _Kept()
        except msgspec.DecodeError:
            message = f"{self.path} cannot be read. Remove it, and sign in again with `./flowforge login`."
            raise ClientError(message, UNUSABLE) from None
        except OSError as error:
            raise self._unusable(error) from None

    def _write(self, kept: _Kept) -> None:
        try:
            write_private(self.path, msgspec.json.format(msgspec.json.encode(kept), indent=2).decode() + "\n")
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> ClientError:
        reason = f"{self._folder} cannot be used: {error.strerror}. Name another folder by XDG_CONFIG_HOME."
        return ClientError(reason, UNUSABLE)
