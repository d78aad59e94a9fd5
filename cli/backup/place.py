"""Which database is meant: the one that is named, that of a running product, or that of a data folder at rest."""

import hmac
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cli.data_folder import DataFolder
from cli.servers.postgres import Postgres
from engine.infra.settings import SettingError, Settings, secret_key_file


@contextmanager
def open_database(settings: Settings, *, is_new: bool = False) -> Iterator[Settings]:
    """The settings with the address of a database that runs, for as long as the block takes.

    Raises SettingError for a data folder without a database, unless it may be `is_new`.
    """
    if settings.database_url:
        yield settings
        return
    folder = DataFolder(Path(settings.data_dir))
    if not is_new and not (folder.path / "postgres" / "data").exists():
        raise SettingError(f"FLOWFORGE_DATA_DIR={folder.path} holds no database. Name another folder by --data-dir.")
    try:
        folder.claim()
    except SettingError:
        # A product runs there, as a rule: then its database does.
        url = (folder.run_file.read().get("postgres") or {}).get("url")
        if not url:
            raise
        yield msgspec.structs.replace(settings, database_url=url)
        return
    postgres = Postgres(folder.path / "postgres")
    try:
        postgres.start()
        yield msgspec.structs.replace(settings, database_url=postgres.url)
    finally:
        postgres.stop()
        folder.release()


def name_key(settings: Settings) -> str:
    """A name of the secret key that does not tell it, empty where there is none: the same key has the same name."""
    path = secret_key_file(settings)
    encoded = settings.secret_key or (path.read_text().split()[:1] or [""] if path.exists() else [""])[0]
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        return ""
    return hmac.digest(key, b"the key that a backup needs", "sha256")[:8].hex() if key else ""
