"""The database: created, opened and migrated; its faults in words."""

import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS: Final = Path(__file__).parent / "migrations"

#: How long a writer waits for another before it gives up.
BUSY_TIMEOUT_MS: Final = 10_000

#: Execution option of connections that mean to write: SQLite then locks when the transaction
#: begins, so that what was read is still true when it is changed.
WRITES: Final = "vedette_writes"


class DatabaseError(Exception):
    """The database cannot be used; the message says why, and what to do."""


def open_database(url: str) -> Engine:
    """Open the database at an SQLAlchemy address and migrate it to this program's schema.

    Of an SQLite file, missing folders are made (0700), and the file is (0600). Raises
    DatabaseError.
    """
    address = _parsed(url)
    path = _sqlite_file(address)
    if path is not None:
        _create_file(path)
    try:
        engine = _engine(address)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise DatabaseError(
            f"no driver for {address.drivername} is installed ({error});"
            " use sqlite:/// or install the driver, for PostgreSQL: pip install psycopg"
        ) from error
    try:
        _migrate(engine, where=_shown(address))
    except BaseException:
        engine.dispose()
        raise
    return engine


def for_writing(engine: Engine) -> Engine:
    """Return the same engine for transactions that write after they have read."""
    return engine.execution_options(**{WRITES: True})


def _parsed(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise DatabaseError(
            "the database address cannot be read; write it like sqlite:///vedette.db"
            " or postgresql+psycopg://user@host/vedette"
        ) from error
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    if address.get_backend_name() not in {"sqlite", "postgresql"}:
        raise DatabaseError(
            f"databases of type {address.get_backend_name()} are not supported;"
            " use SQLite or PostgreSQL"
        )
    return address


def _shown(address: URL) -> str:
    return address.render_as_string(hide_password=True)


def _sqlite_file(address: URL) -> Path | None:
    if address.get_backend_name() != "sqlite" or address.database in {None, "", ":memory:"}:
        return None
    return Path(str(address.database))


def _create_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DatabaseError(
            f"{path}: {error.strerror}; set store.url to a file in a folder"
            " that the user of this program may write"
        ) from error


def _engine(address: URL) -> Engine:
    if address.get_backend_name() != "sqlite":
        return create_engine(address, hide_parameters=True, pool_pre_ping=True)
    if _sqlite_file(address) is None:
        engine = create_engine(
            address,
            hide_parameters=True,
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )
    else:
        engine = create_engine(address, hide_parameters=True)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    driver: Any = connection
    driver.isolation_level = None  # transactions begin where we say so, schema changes included
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(engine: Engine, where: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    known = ScriptDirectory.from_config(config)
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        if current == known.get_current_head():
            return
        if current is not None and current not in {s.revision for s in known.walk_revisions()}:
            raise DatabaseError(
                f"{where}: its schema ({current}) is newer than this program;"
                " update Vedette, or restore the backup made before the update"
            )
        with for_writing(engine).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise DatabaseError(f"{where}: {_advice(error)}") from error


def _advice(error: DBAPIError) -> str:
    cause = str(error.orig)
    if isinstance(error.orig, sqlite3.DatabaseError):
        if "not a database" in cause or "malformed" in cause or "corrupt" in cause:
            return (
                f"the file is damaged or is not a database ({cause});"
                " restore a backup, or move the file away to begin anew"
            )
        if "readonly" in cause or "unable to open" in cause:
            return f"it cannot be written ({cause}); check the owner of the file and its folder"
        if "locked" in cause:
            return f"another program holds it ({cause}); stop the other one first"
        if "already exists" in cause:
            return f"it holds tables of another program ({cause}); set another store.url"
    if isinstance(error, OperationalError):
        return f"the server cannot be reached or refuses ({cause}); check store.url"
    return f"it cannot be used ({cause})"
