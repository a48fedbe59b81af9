"""The database: reachable, of this program's schema, writable, undamaged."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Final

from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from alerts.database.backup import all_backups
from alerts.database.opening import DatabaseError, fault, open_unchanged, schema_of
from vedette.doctor.disk import size
from vedette.doctor.remark import Remark, fail, ok, skipped, warn
from vedette.doctor.surroundings import Surroundings

#: How long SQLite may look for damage, and after how many of its steps the clock is asked.
LOOK_SECONDS: Final = 3.0
_STEPS: Final = 10_000


def check_database(at: Surroundings) -> Iterator[Remark]:
    """Connect, and look at schema, mode and copies; nothing is migrated."""
    url = _url(at)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        yield _missing(file)
        return
    try:
        engine = open_unchanged(at.settings.store.url.get_secret_value())
        with engine.connect() as connection:
            yield ok(_reached(connection, url, file))
            yield _schema(connection)
            yield from _sqlite(connection, file) if file else _postgresql(connection, url)
    except DBAPIError as error:
        yield fail(f"{_shown(url)}: {fault(error)}", "nothing is stored until it answers")
    except DatabaseError as error:
        yield fail(str(error), "correct store.url")


def check_integrity(at: Surroundings) -> Iterator[Remark]:
    """Have SQLite look for damage, as long as there is time."""
    file = sqlite_file(_url(at))
    if file is None or not file.exists():
        yield skipped("only for a database that is a file")
        return
    until = monotonic() + LOOK_SECONDS
    try:
        with open_unchanged(at.settings.store.url.get_secret_value()).connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(lambda: monotonic() > until, _STEPS)
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.OperationalError) and "interrupted" in str(error.orig):
            yield skipped(f"{file}: not looked through in {LOOK_SECONDS:g} s, it is large")
            return
        yield fail(f"{file}: {fault(error)}", "stop the service and restore a backup")
        return
    if found == "ok":
        yield ok("quick_check finds no damage")
    else:
        yield fail(
            f"{file}: it is damaged",
            'stop the service, then restore a backup, or save what can be: sqlite3 FILE ".recover"',
        )


def stored(at: Surroundings, read: Callable[[Engine], Iterable[Remark]]) -> Iterable[Remark]:
    """Return what `read` says of a database of this program's schema; otherwise why it was not."""
    file = sqlite_file(_url(at))
    if file is not None and not file.exists():
        return [skipped("there is no database yet")]
    try:
        engine = open_unchanged(at.settings.store.url.get_secret_value())
        with engine.connect() as connection:
            schema = schema_of(connection)
        if not schema.fits:
            return [skipped("the database has another schema (see database)")]
        return list(read(engine))
    except (DBAPIError, DatabaseError):
        return [skipped("the database does not answer (see database)")]


def sqlite_file(url: URL) -> Path | None:
    """Return the file of an SQLite database, None for others."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    return Path(str(url.database)).absolute()


def _url(at: Surroundings) -> URL:
    return make_url(at.settings.store.url.get_secret_value())


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _missing(file: Path) -> Remark:
    there = next(path for path in file.parents if path.exists())
    if os.access(there, os.W_OK | os.X_OK):
        return ok(f"{file}: not there yet; the first start makes it")
    return fail(
        f"{file}: not there, and {there} cannot be written",
        "let the user of this program write there, or set store.url to another place",
    )


def _reached(connection: Connection, url: URL, file: Path | None) -> str:
    if file is not None:
        log = file.with_name(f"{file.name}-wal")
        bytes_ = sum(path.stat().st_size for path in (file, log) if path.exists())
        return f"{file}: SQLite {sqlite3.sqlite_version}, {size(bytes_)}"
    version = connection.execute(text("show server_version")).scalar()
    return f"{_shown(url)}: PostgreSQL {version}"


def _schema(connection: Connection) -> Remark:
    schema = schema_of(connection)
    if schema.fits:
        return ok(f"schema {schema.current}, as this program wants it")
    if schema.current is None:
        return ok("it has no tables yet; the first start makes them")
    if schema.current < schema.wanted:
        return warn(
            f"schema {schema.current}; this program wants {schema.wanted}",
            "the next start of vedette run brings it up; of a file it keeps a copy",
        )
    return fail(
        f"schema {schema.current} is newer than this program, which wants {schema.wanted}",
        "update Vedette, or restore the copy made before the update",
    )


def _sqlite(connection: Connection, file: Path) -> Iterator[Remark]:
    for path in (file, file.parent):
        if not os.access(path, os.W_OK):
            yield fail(
                f"{path}: this user cannot write to it",
                "run as the user of the service, or change the owner (chown)",
            )
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    if mode != "wal":
        yield warn(
            f"journal mode {mode}, not WAL: readers and the writer hold each other up",
            "start vedette run once, which sets it; some network disks cannot have it",
        )
    copies = all_backups(make_url(f"sqlite:///{file}"))
    if copies:
        bytes_ = sum(copy.stat().st_size for copy in copies)
        yield ok(f"{len(copies)} copies made before updates, {size(bytes_)}: {copies[0].parent}")


def _postgresql(connection: Connection, url: URL) -> Iterator[Remark]:
    if connection.execute(text("select pg_is_in_recovery()")).scalar():
        yield fail(
            f"{_shown(url)}: this is a standby, which can only be read",
            "set store.url to the primary",
        )
