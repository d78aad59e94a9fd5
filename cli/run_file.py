"""`run.json`: where a running product and its processes are."""

from pathlib import Path
from typing import Any

import msgspec

from cli.servers.process import write_private


class RunFile:
    """`DATA_DIR/run.json`, there while the product runs; readable by its owner only, for it holds passwords."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Any]:
        """What the file says; empty where there is none, or none that can be read."""
        try:
            content = msgspec.json.decode(self.path.read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, content: dict[str, Any]) -> None:
        """Replace the file at once."""
        write_private(self.path, msgspec.json.format(msgspec.json.encode(content).decode(), indent=2) + "\n")

    def remove(self) -> None:
        """Take the file away: nothing runs."""
        self.path.unlink(missing_ok=True)

    def child_pids(self) -> list[int]:
        """The process ids of API, relay and workers."""
        content = self.read()
        entries = [content.get("api"), content.get("relay"), *(content.get("workers") or [])]
        return [entry["pid"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("pid"), int)]
