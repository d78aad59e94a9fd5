"""The file of a backup: an archive of pg_dump, and behind it one line that says what it is.

`pg_restore` reads such a file as it is. The line holds a checksum of all before it, so that a file that was cut off or
damaged is not taken for a backup.
"""

import hashlib
from pathlib import Path
from typing import IO

import msgspec
from msgspec import Struct

from engine.infra.settings import SettingError

FORMAT = 1
CHUNK = 1024 * 1024
_MARK = b"\nflowforge-backup "
_LONGEST_LABEL = 64 * 1024


class Label(Struct, frozen=True, kw_only=True):
    """What a backup says of itself; `rows` counts each table, `key` names the secret key without telling it."""

    format: int = FORMAT
    made_at: str
    revision: str
    server: str
    size: int
    sha256: str
    rows: dict[str, int]
    key: str = ""


def write_label(file: IO[bytes], label: Label) -> None:
    """End the file with its label."""
    file.write(_MARK + msgspec.json.encode(label) + b"\n")


def read_label(path: Path) -> Label:
    """The label of a backup whose every byte was checked; raises SettingError for what is none."""
    try:
        with path.open("rb") as file:
            label = _find_label(file, path)
            digest = hashlib.sha256()
            left = label.size
            while chunk := file.read(min(CHUNK, left)):
                digest.update(chunk)
                left -= len(chunk)
    except OSError as error:
        raise SettingError(f"{path} cannot be read: {error.strerror}. Name the file of a backup.") from None
    if left or digest.hexdigest() != label.sha256:
        raise SettingError(f"{path} is damaged: its checksum is not the one that it was written with. Use another one.")
    return label


def _find_label(file: IO[bytes], path: Path) -> Label:
    size = file.seek(0, 2)
    file.seek(max(0, size - _LONGEST_LABEL))
    _, mark, line = file.read().rpartition(_MARK)
    try:
        label = msgspec.json.decode(line if mark and line.endswith(b"\n") else b"", type=Label)
    except msgspec.DecodeError:
        raise SettingError(
            f"{path} is no backup of FlowForge, or its end is missing. Name a file that `./flowforge backup` wrote."
        ) from None
    if label.format > FORMAT:
        raise SettingError(f"{path} was written by a newer FlowForge. Restore it with that one.")
    if label.size != size - len(mark) - len(line):
        raise SettingError(f"{path} is damaged: it has not the length that it was written with. Use another one.")
    file.seek(0)
    return label
