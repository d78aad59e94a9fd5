"""The built web app in memory: every file with its compressed forms and the headers that it is served with.

`cli/ui_bundle.py` builds it into `app/web/bundle/`. A few hundred kilobytes in all: reading files per request would
need threads, and the request that waits for them would stand in the way of webhooks.
"""

import hashlib
import json
import mimetypes
from pathlib import Path
from typing import Final

from msgspec import Struct

FOLDER: Final = Path(__file__).parent / "bundle"
STAMP: Final = "stamp.json"
INDEX: Final = "index.html"
# Names below hold a hash of the content.
HASHED: Final = "assets/"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_REVALIDATED: Final = "no-cache"
# Beside a file, the best first.
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_COMPRESSED: Final = tuple(suffix for _, suffix in _ENCODINGS)
# Not all systems know them.
_TYPES: Final = {".js": "text/javascript", ".woff2": "font/woff2", ".svg": "image/svg+xml"}


class Asset(Struct, frozen=True, kw_only=True):
    """A file: its bytes by encoding (`""`: as they are), and what goes with all of them."""

    bodies: dict[str, bytes]
    media_type: str
    etag: str
    cache_control: str


class Bundle(Struct, frozen=True):
    """All files by their path in the folder."""

    assets: dict[str, Asset]

    @property
    def index(self) -> Asset:
        """The page that every address of the app begins with."""
        return self.assets[INDEX]


class BundleFolder:
    """The bundle as it lies in its folder, read anew when another one was built. None while there is none."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._stamp: tuple[int, int] | None = None
        self._bundle: Bundle | None = None

    def load(self) -> Bundle | None:
        """The newest bundle; while a newer one cannot be read, the one before."""
        try:
            status = (self._folder / STAMP).stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._bundle = Bundle(dict(_read_assets(self._folder)))
                self._stamp = stamp
        except (OSError, ValueError, KeyError):
            # The folder is exchanged at this moment, or there is none.
            return self._bundle
        return self._bundle

    def read_failure(self) -> str:
        """Why the last build failed, in a sentence; empty where it did not."""
        try:
            text: str = json.loads(failure_note(self._folder).read_text())["why"]
        except (OSError, ValueError, KeyError):
            return ""
        return text


def failure_note(folder: Path) -> Path:
    """Where a build that failed says why: beside the folder, which is exchanged as a whole."""
    return folder.with_name(f"{folder.name}.failed.json")


def _read_assets(folder: Path) -> list[tuple[str, Asset]]:
    assets = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in _COMPRESSED and path.name != STAMP:
            name = path.relative_to(folder).as_posix()
            assets.append((name, _read_asset(path, name)))
    if INDEX not in dict(assets):
        raise KeyError(INDEX)
    return assets


def _read_asset(path: Path, name: str) -> Asset:
    plain = path.read_bytes()
    bodies = {"": plain}
    for encoding, suffix in _ENCODINGS:
        compressed = path.with_name(path.name + suffix)
        if compressed.exists():
            bodies[encoding] = compressed.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(
        bodies=bodies,
        media_type=f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type,
        etag=hashlib.sha256(plain).hexdigest()[:32],
        cache_control=_IMMUTABLE if name.startswith(HASHED) else _REVALIDATED,
    )
