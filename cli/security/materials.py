"""What FlowForge is made of, read from the lock files alone: every package with its hashes, and which brings which."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

# `runtime` is what the product runs on, `local` comes with it on one machine, `dev` is for its making.
PYTHON_LOCKS: Final = ("runtime", "local", "dev")
Scope = Literal["required", "optional", "excluded"]

_SCOPES: Final[dict[str, Scope]] = {"runtime": "required", "local": "optional", "dev": "excluded"}
_PIN = re.compile(r"(?P<name>[a-z0-9._-]+)==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NODE_MODULES: Final = "node_modules/"


class Material(Struct, frozen=True, kw_only=True):
    """A package at one version. `brings` are keys of others that it depends on; hashes are `(algorithm, hex)`."""

    key: str
    name: str
    version: str
    scope: Scope
    hashes: tuple[tuple[str, str], ...]
    brings: tuple[str, ...] = ()
    licence: str | None = None


def read_python(folder: Path) -> list[Material]:
    """The packages of `requirements/`, by name; what is in a smaller lock has that one's scope."""
    found: dict[str, Material] = {}
    brings: dict[str, set[str]] = {}
    for kind in PYTHON_LOCKS:
        for entry in _split_lock((folder / f"{kind}.txt").read_text()):
            pin = _PIN.match(entry)
            if pin is None:
                continue
            key = f"{pin['name']}@{pin['version']}"
            hashes = tuple(("SHA-256", digest) for digest in sorted(set(_HASH.findall(entry))))
            found.setdefault(
                key, Material(key=key, name=pin["name"], version=pin["version"], scope=_SCOPES[kind], hashes=hashes)
            )
            for user in _read_users(entry):
                brings.setdefault(user, set()).add(key)
    return [
        Material(
            key=each.key,
            name=each.name,
            version=each.version,
            scope=each.scope,
            hashes=each.hashes,
            brings=tuple(sorted(brings.get(each.name, ()))),
        )
        for each in sorted(found.values(), key=lambda each: each.key)
    ]


def _split_lock(text: str) -> list[str]:
    return re.split(r"\n(?=[a-z0-9])", "\n" + text)


def _read_users(entry: str) -> Iterator[str]:
    """The packages that bring one, as the lock tells them: in one comment, or in one under the other."""
    for line in entry.splitlines():
        comment = line.strip().removeprefix("#").strip() if line.lstrip().startswith("#") else ""
        user = comment.removeprefix("via").strip()
        if user and "(" not in user:
            yield user


def read_npm(lock: Path) -> list[Material]:
    """The packages of a `package-lock.json` of version 3, by where npm puts them."""
    places: dict[str, dict[str, Any]] = json.loads(lock.read_text())["packages"]
    return [_read_place(place, told, places) for place, told in sorted(places.items()) if place]


def _read_place(place: str, told: dict[str, Any], places: dict[str, dict[str, Any]]) -> Material:
    needed = {**told.get("dependencies", {}), **told.get("optionalDependencies", {})}
    brings = {found for name in needed if (found := _find_place(place, name, places)) is not None}
    return Material(
        key=place,
        name=told.get("name") or place.rpartition(_NODE_MODULES)[2],
        version=told["version"],
        scope="excluded" if told.get("dev") else "optional" if told.get("optional") else "required",
        hashes=tuple(_read_integrity(told.get("integrity", ""))),
        brings=tuple(sorted(brings)),
        licence=told.get("license"),
    )


def _find_place(user: str, name: str, places: dict[str, Any]) -> str | None:
    """Where Node finds a package that another one names: beside it, or in a folder further out."""
    folder = user
    while True:
        place = f"{folder}/{_NODE_MODULES}{name}" if folder else f"{_NODE_MODULES}{name}"
        if place in places:
            return place
        if not folder:
            # An optional one of another system.
            return None
        folder = folder.rpartition(f"/{_NODE_MODULES}")[0] if f"/{_NODE_MODULES}" in folder else ""


def _read_integrity(integrity: str) -> Iterator[tuple[str, str]]:
    for each in integrity.split():
        algorithm, _, digest = each.partition("-")
        try:
            yield algorithm.upper().replace("SHA", "SHA-"), base64.b64decode(digest, validate=True).hex()
        except binascii.Error:
            raise ValueError(f"{integrity!r} in the lock of the web app is no digest") from None
