"""`rekey`: another secret key, while the product runs."""

import asyncio
import contextlib
import fcntl
import os
import secrets
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import click

from cli.backup.place import open_database
from cli.report import progress
from engine.infra.database import connect
from engine.infra.secrets import KEY_BYTES, SecretBox, SecretError, SecretKeys, key_id
from engine.infra.settings import SettingError, Settings, load_secret_keys, load_settings, secret_key_file
from engine.store.sealed import (
    SEALED_COLUMNS,
    SealedColumn,
    count_answers_sealed_otherwise,
    list_sealed_otherwise,
    replace_sealed,
)

BATCH = 100


@click.command()
@click.option("--data-dir", help="Data folder of the product (FLOWFORGE_DATA_DIR, .flowforge).")
@click.option("--forget", is_flag=True, help="Make no new key; remove the older ones, once nothing is sealed by them.")
def command(data_dir: str | None, *, forget: bool) -> None:
    """Seal all secrets under a new secret key, while the product runs.

    The new key stands first in the data folder's secret.key; older ones stay behind it and open what is still sealed
    by them, until --forget. Where FLOWFORGE_SECRET_KEY is set, the newest key is that one: name the older ones in
    FLOWFORGE_OLDER_SECRET_KEYS, and nothing is made.
    """
    with open_database(load_settings(data_dir=data_dir)) as settings, _alone(settings):
        if not forget and not settings.secret_key:
            _write_keys(settings, (b64encode(secrets.token_bytes(KEY_BYTES)).decode(), *load_secret_keys(settings)))
            progress(f"made a new secret key in {secret_key_file(settings)}")
        sealed, answers = asyncio.run(_seal_anew(settings))
        progress(f"sealed {sealed} secrets under the newest key; {answers} kept answers are sealed by older ones")
        if forget:
            _forget(settings, answers)


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Keep a second command from replacing the keys: what was sealed under one that it has not seen would be lost."""
    path = Path(f"{secret_key_file(settings)}.lock")
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise click.ClickException("another `rekey` is at work on this data folder: wait until it has ended") from None
    else:
        yield
    finally:
        os.close(descriptor)


def _forget(settings: Settings, answers: int) -> None:
    if answers:
        message = f"{answers} answers are kept for their repetition and sealed by older keys: try again within a day"
        raise click.ClickException(message)
    if settings.secret_key:
        progress("nothing is sealed by older keys: FLOWFORGE_OLDER_SECRET_KEYS may be emptied")
        return
    _write_keys(settings, load_secret_keys(settings)[:1])
    progress("removed the older keys; backups from before need them still")


async def _seal_anew(settings: Settings) -> tuple[int, int]:
    """How many values were sealed anew, and how many answers are left that older keys sealed."""
    newest = key_id(load_secret_keys(settings)[0])
    connection = await connect(settings, name="rekey")
    try:
        sealed = 0
        for column in SEALED_COLUMNS:
            sealed += await _seal_column(connection, column, SecretBox(SecretKeys(settings), column.purpose), newest)
        return sealed, await count_answers_sealed_otherwise(connection, newest)
    finally:
        await connection.close()


async def _seal_column(connection: asyncpg.Connection, column: SealedColumn, box: SecretBox, newest: bytes) -> int:
    sealed = 0
    while rows := await list_sealed_otherwise(connection, column, newest, BATCH):
        for row in rows:
            place = column.place(row)
            try:
                plain = box.open(row["sealed"], place)
            except SecretError as error:
                message = f"{place} does not open, and nothing behind it was sealed anew: {error}"
                raise SettingError(message) from None
            sealed += await replace_sealed(connection, column, row, box.seal(plain, place))
    return sealed


def _write_keys(settings: Settings, keys: tuple[str, ...]) -> None:
    """Replace the file as a whole: a process that reads it meanwhile sees the one or the other."""
    path = secret_key_file(settings)
    beside = Path(f"{path}.new")
    descriptor = os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(keys))
        if path.exists():
            # Whoever runs this command need not be whom the product runs as, who has to read it.
            owner = path.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    # Nothing may be sealed under a key that a loss of power could take.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
