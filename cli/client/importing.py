"""Importing a file, and telling what became of it."""

from pathlib import Path
from typing import Any

import msgspec

from cli.client.api import JSON_TYPE, Api
from cli.client.errors import UNUSABLE, ClientError
from cli.report import progress


def import_file(api: Api, file: str, content: bytes, *, is_new: bool = False) -> list[dict[str, Any]]:
    """Import one file and tell what became of it; raises ClientError naming the file."""
    items = send_file(api, file, content, is_new=is_new)
    for item in items:
        progress(f"{file}: {item['outcome']} {item['name']!r} ({item['id']})")
        for problem in item["problems"]:
            place = f":{problem['line']}:{problem['column']}" if "line" in problem else ""
            progress(f"{file}{place}: {problem['pointer'] or '/'}: {problem['message']}")
        for trigger in item["triggers"]:
            lack = "; it refuses everything until it is given a secret" if trigger["needs_secret"] else ""
            progress(
                f"{file}: {trigger['outcome']} {trigger['trigger']['type']} trigger {trigger['trigger']['url']}{lack}"
            )
    return items


def send_file(api: Api, file: str, content: bytes, *, is_new: bool = False) -> list[dict[str, Any]]:
    """Import one file in silence, and give the workflows in it; raises ClientError naming the file."""
    media_type = JSON_TYPE if file.endswith(".json") else "application/yaml"
    query = {"mode": "create" if is_new else "update", "name": _name_after(file)}
    try:
        answer = api.call("POST", "/v1/workflows/import", query=query, body=content, media_type=media_type)
    except ClientError as error:
        raise error if error.code == UNUSABLE else ClientError(f"{file}: {error}", error.code) from None
    items: list[dict[str, Any]] = msgspec.json.decode(answer.body)["items"]
    return items


def publish_all(api: Api, items: list[dict[str, Any]]) -> None:
    """Publish the drafts without problems, and tell of each."""
    for item in items:
        if item["problems"]:
            progress(f"{item['name']!r} has problems: it is not published")
            continue
        before = item["published_version"]
        version = publish_draft(api, item)
        if version == before:
            progress(f"nothing to publish of {item['name']!r}: it is version {version} already")
        else:
            progress(f"published {item['name']!r} as version {version}")


def publish_draft(api: Api, item: dict[str, Any]) -> int:
    """Publish an imported draft, and give its version, which is the one before where nothing has changed.

    The item learns it.
    """
    version: int = api.post(f"/v1/workflows/{item['id']}/publish")["version"]
    item["published_version"] = version
    return version


def _name_after(file: str) -> str | None:
    return None if file == "-" else Path(file).name.partition(".")[0] or None
