"""Which database a command uses: the one named, the service's, or that of the last scan."""

from pathlib import Path
from typing import Final

from sqlalchemy.engine import Engine, make_url

from alerts.database.opening import DatabaseError, open_database
from vedette.folders import sqlite_url, state_folder
from vedette.settings import Settings

#: Files that belong to one SQLite database.
_SQLITE_FILES: Final = ("", "-wal", "-shm")


def database_url(name: str) -> str:
    """Return the URL for a database URL or the path of an SQLite file."""
    return name if "://" in name else sqlite_url(Path(name).absolute())


def shown(name: str) -> str:
    """Return the name of a database without the password that its URL may hold."""
    return make_url(name).render_as_string(hide_password=True) if "://" in name else name


def last_scan_file() -> Path:
    """Return the file that keeps the incidents of the last scan."""
    return state_folder() / "scan.db"


def new_scan_database(name: str | None) -> tuple[Engine, str]:
    """Open the database for a scan's incidents; also return what to call it.

    Without a name it is that of the last scan, emptied: what a scan finds shall depend on the
    log alone.
    """
    if name is not None:
        return open_database(database_url(name)), shown(name)
    file = last_scan_file()
    for ending in _SQLITE_FILES:
        file.with_name(file.name + ending).unlink(missing_ok=True)
    return open_database(sqlite_url(file)), str(file)


def stored_incidents(
    settings: Settings, name: str | None, *, configured: bool
) -> tuple[Engine, str]:
    """Open the database to list from, and return what to call it.

    The one named; else the service's if it is configured or exists; else the last scan's. None
    of them is made here: an empty database of the service would hide the next scan.
    """
    if name is not None:
        return _named(name)
    if not configured and nothing_stored(settings) and last_scan_file().exists():
        return open_database(sqlite_url(last_scan_file())), "the last scan"
    return kept_database(settings, None, configured=configured)


def kept_database(settings: Settings, name: str | None, *, configured: bool) -> tuple[Engine, str]:
    """Open the database that `vedette run` uses, or the one named; return what to call it, too.

    It is not made here where nobody said where it is to be. Raises DatabaseError.
    """
    if name is None and not configured and nothing_stored(settings):
        raise DatabaseError(
            "nothing is stored yet: read logs with `vedette scan`, start the service with"
            " `vedette run`, or name its settings with --config"
        )
    if name is not None:
        return _named(name)
    return open_database(settings.store.url.get_secret_value()), "the service's database"


def nothing_stored(settings: Settings) -> bool:
    """Whether the service's database would be the one in the state folder, and is not there."""
    file = state_folder() / "vedette.db"
    return settings.store.url.get_secret_value() == sqlite_url(file) and not file.exists()


def _named(name: str) -> tuple[Engine, str]:
    if "://" not in name and not Path(name).is_file():
        raise DatabaseError(f"{name}: there is no such database; check --database")
    return open_database(database_url(name)), shown(name)
