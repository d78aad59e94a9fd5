"""From what a person types to what the API takes."""

import json
import sys
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from cli.client.api import Api
from cli.client.errors import UNUSABLE, ClientError

_MOST_LOOKED_AT = 1000


def find_workflow(api: Api, name: str) -> dict[str, Any]:
    """The workflow of this id, or of exactly this name; raises ClientError where there is none, or several."""
    if is_id(name):
        found: dict[str, Any] = api.get(f"/v1/workflows/{name}")
        return found
    similar = list(api.pages("/v1/workflows", q=name))
    exact = [workflow for workflow in similar if workflow["name"] == name]
    if len(exact) == 1:
        return dict(exact[0])
    if exact:
        ids = ", ".join(workflow["id"] for workflow in exact)
        raise ClientError(f"{len(exact)} workflows have the name {name!r}. Name one by its id: {ids}.")
    near = ", ".join(map(repr, [workflow["name"] for workflow in similar[:5]] or _find_alike(api, name)))
    raise ClientError(f"There is no workflow {name!r}." + (f" There is {near}." if near else ""))


def _find_alike(api: Api, name: str) -> list[str]:
    """Names that may have been meant."""
    names = [workflow["name"] for workflow in islice(api.pages("/v1/workflows"), _MOST_LOOKED_AT)]
    return get_close_matches(name, names, n=3)


def is_id(text: str) -> bool:
    """Whether it has the form of an id."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def read_json(text: str | None, option: str) -> Any:
    """The JSON of an option, or of the file after an `@` (`@-`: of stdin); None where it is not given."""
    if text is None:
        return None
    content = read_file(text[1:]) if text.startswith("@") else text.encode()
    try:
        json.loads(content)
    except UnicodeDecodeError:
        raise ClientError(f"{option}: this is no UTF-8.", UNUSABLE) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ClientError(f"{option} is no JSON: {error.msg} ({place}).", UNUSABLE) from None
    return msgspec.Raw(content)


def read_file(name: str) -> bytes:
    """What a file holds, `-` being stdin; raises ClientError."""
    try:
        if name == "-":
            return sys.stdin.buffer.read()
        return Path(name).read_bytes()
    except OSError as error:
        raise ClientError(f"{name} cannot be read: {error.strerror}.", UNUSABLE) from None
