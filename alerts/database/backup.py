"""A copy of an SQLite database as it is before a migration."""

import filecmp
import glob
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

from sqlalchemy import URL


class BackupError(Exception):
    """The copy could not be made; the message says why, and what to do."""


def back_up(database: Path, revision: str) -> Path:
    """Copy a database into a file beside it that names its schema; return that file.

    It can be read by the user of this program only (0600). A copy that is there already with the
    same content is taken for the new one; one with another content stays, and the new one gets a
    number. The caller holds the database's lock, so that nothing can be written after the copy
    and before the migration. Raises BackupError.
    """
    draft = database.with_name(f"{database.name}.{secrets.token_hex(4)}.draft")
    try:
        # SQLite fills a file that is there and empty; it would make one that all can read.
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            with closing(sqlite3.connect(database, isolation_level=None)) as connection:
                connection.execute("VACUUM INTO ?", (str(draft),))
            return _kept(draft, _names(database, revision))
        finally:
            draft.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(
            f"it could not be copied before its migration ({error}), so nothing was changed;"
            f" make room in {database.parent} and let this program write there"
        ) from error


def backups_of(database: Path, revision: str) -> list[Path]:
    """Return the copies that were made of a database when it had this schema, the oldest first."""
    found: list[Path] = []
    for name in _names(database, revision):
        if not name.exists():
            return found
        found.append(name)
    return found


def all_backups(url: URL) -> list[Path]:
    """Return the copies of a database at this address, whatever schema they have."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return []
    database = Path(url.database)
    return sorted(database.parent.glob(f"{glob.escape(database.name)}.schema-*.backup"))


def _names(database: Path, revision: str) -> Iterator[Path]:
    for number in count(1):
        which = "" if number == 1 else f"-{number}"
        yield database.with_name(f"{database.name}.schema-{revision}{which}.backup")


def _kept(draft: Path, names: Iterator[Path]) -> Path:
    for name in names:
        try:
            # A link, unlike a rename, does not replace a copy made earlier.
            name.hardlink_to(draft)
        except FileExistsError:
            if not filecmp.cmp(name, draft, shallow=False):
                continue
        return name
    raise AssertionError("names do not end")
