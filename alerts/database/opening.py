"""The database: created, opened and migrated; its faults in words."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pydantic_core import from_json
from sqlalchemy import (
    URL,
    Connection,
    Dialect,
    Engine,
    NullPool,
    StaticPool,
    create_engine,
    event,
    inspect,
    literal,
    make_url,
    select,
    table,
)
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    DisconnectionError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from alerts.database.backup import BackupError, back_up, backups_of

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"

#: How long a writer waits for another before it gives up.
BUSY_TIMEOUT_MS: Final = 10_000

#: How long looking at a database may wait for it.
LOOK_SECONDS: Final = 3

#: Execution option of connections that mean to write.
WRITES: Final = "vedette_writes"

#: Execution option: what is called when a transaction that means to write begins.
_FENCE: Final = "vedette_fence"

#: How long a transaction that writes may do nothing, by PostgreSQL's clock: then whoever began it
#: was stopped, or its machine is gone, and others must not wait for it.
_IDLE_TIMEOUT_MS: Final = 20_000

#: Where a connection's rest is noted, and the rest after which it may be gone.
_RESTS_SINCE: Final = "vedette_rests_since"
_REST_SECONDS: Final = 1.0

#: PostgreSQL's codes of errors that pass: idle for longer than that; the server only reads, as
#: another one takes over from it or from which it takes over.
_PASSING: Final = frozenset({"25P03", "25006"})

#: What writers of a PostgreSQL database wait for: a number of our own.
_WRITER: Final = int.from_bytes(b"vedette", "big")

# To stderr, in the words written here, unless a program sets up logging itself.
_log: Final = logging.getLogger("vedette.database")


class DatabaseError(Exception):
    """The database cannot be used; the message says why, and what to do."""


def open_database(url: str) -> Engine:
    """Open the database at an SQLAlchemy address and migrate it to this program's schema.

    Of an SQLite file, missing folders are made (0700), and the file is (0600). One that holds
    data is copied before its schema changes; a line of the log names the copy. Raises
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
        _migrate(engine, path, where=_shown(address))
    except BaseException:
        engine.dispose()
        raise
    return engine


def open_unchanged(url: str) -> Engine:
    """Return an engine on the database as it is: nothing is made, migrated or configured.

    For looking only. Nobody is waited for longer than LOOK_SECONDS. Of an SQLite file that is not
    there connecting fails. Raises DatabaseError for an address that cannot be read.
    """
    address = _parsed(url)
    path = _sqlite_file(address)
    if path is not None:
        there = f"{path.absolute().as_uri()}?mode=rw"
        return create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(there, uri=True, timeout=LOOK_SECONDS),
            poolclass=NullPool,
            hide_parameters=True,
        )
    if address.get_backend_name() == "sqlite":
        return create_engine(address, hide_parameters=True)
    waiting = f"-c statement_timeout={LOOK_SECONDS * 1000} -c default_transaction_read_only=on"
    return create_engine(
        address.update_query_dict({"connect_timeout": str(LOOK_SECONDS), "options": waiting}),
        hide_parameters=True,
        poolclass=NullPool,
    )


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema that a database has (None: none yet), and the one that this program wants."""

    current: str | None
    wanted: str

    @property
    def fits(self) -> bool:
        """Whether the program can read this database as it is."""
        return self.current == self.wanted


def schema_of(connection: Connection) -> Schema:
    """Return the schema of a database; raises sqlalchemy.exc.DBAPIError."""
    return Schema(_revision(connection), str(_migrations().get_current_head()))


def fault(error: DBAPIError) -> str:
    """Say what is wrong with a database that answers with an error, and what to do."""
    return _advice(error)


def for_writing(engine: Engine) -> Engine:
    """Return the same engine for transactions that write after they have read.

    Such transactions go one after the other, from their beginning, whoever asks for them: the
    worker, senders, people, in whatever process. So what one has read is still true when it
    writes, none of them can lose another's update or deadlock with it, and none has to be tried
    again because of others; the same program text is right on both databases. SQLite takes its
    own lock when the transaction begins. PostgreSQL, which would let them run side by side, takes
    an advisory lock for the transaction; they are "read committed", as a snapshot taken while
    waiting for the lock would be that of before the others' writes. Whoever waits longer than
    BUSY_TIMEOUT_MS gets an OperationalError. Other transactions only read: they see one moment
    (PostgreSQL: "repeatable read") and wait for nobody.
    """
    options: dict[str, Any] = {WRITES: True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "READ COMMITTED"
    return engine.execution_options(**options)


def for_one_statement(engine: Engine) -> Engine:
    """Return the same engine for reading with one statement, which sees one moment by itself.

    PostgreSQL then needs no transaction around it: one round trip rather than three.
    """
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine


def fenced(engine: Engine, check: Callable[[Connection], None]) -> Engine:
    """Return the same engine, whose writing transactions begin with `check`.

    It runs when no other writer can, and what it raises ends the transaction before it has
    written anything. Whatever asks `for_writing` of this engine has the fence too.
    """
    return engine.execution_options(**{_FENCE: check})


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
        engine = create_engine(
            address,
            hide_parameters=True,
            isolation_level="REPEATABLE READ",
            json_deserializer=from_json,
        )
        event.listen(engine, "checkin", _rest)
        event.listen(engine, "checkout", partial(_ask_after_rest, engine.dialect))
        event.listen(engine, "begin", _begin_postgresql)
        event.listen(engine, "handle_error", _as_operational, retval=True)
        return engine
    if _sqlite_file(address) is None:
        engine = create_engine(
            address,
            hide_parameters=True,
            json_deserializer=from_json,
            poolclass=StaticPool,
            connect_args={"check_same_thread": False},
        )
    else:
        engine = create_engine(address, hide_parameters=True, json_deserializer=from_json)
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
    _check_fence(connection)


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get(WRITES, False):
        connection.exec_driver_sql(
            "SELECT set_config('lock_timeout', %s, true),"
            " set_config('idle_in_transaction_session_timeout', %s, true),"
            " pg_advisory_xact_lock(%s)",
            (str(BUSY_TIMEOUT_MS), str(_IDLE_TIMEOUT_MS), _WRITER),
        )
    _check_fence(connection)


def _rest(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    entry.info[_RESTS_SINCE] = time.monotonic()


def _ask_after_rest(
    dialect: Dialect,
    connection: DBAPIConnection,
    entry: ConnectionPoolEntry,
    _proxy: PoolProxiedConnection,
) -> None:
    """Make sure that the server is there still, unless it was just now: asking is a round trip."""
    since = entry.info.get(_RESTS_SINCE)
    if since is None or time.monotonic() - since < _REST_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise DisconnectionError(str(error)) from error  # the pool tries another one


def _as_operational(context: ExceptionContext) -> OperationalError | None:
    """Return the error that callers try again on, for what the driver calls an internal one."""
    if getattr(context.original_exception, "sqlstate", None) not in _PASSING:
        return None
    return OperationalError(
        context.statement, context.parameters, context.original_exception, hide_parameters=True
    )


def _check_fence(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get(WRITES, False) and _FENCE in options:
        options[_FENCE](connection)


def _migrate(engine: Engine, path: Path | None, where: str) -> None:
    config = _configuration()
    known = _migrations()
    head = str(known.get_current_head())
    try:
        with engine.connect() as connection:
            current = _revision(connection)
        if current == head:
            return
        if current is not None and current not in {s.revision for s in known.walk_revisions()}:
            copies = backups_of(path, head) if path is not None else []
            found = f" ({copies[-1]})" if copies else ""
            raise DatabaseError(
                f"{where}: its schema ({current}) is newer than this program;"
                f" update Vedette, or restore the backup made before the update{found}"
            )
        with for_writing(engine).begin() as connection:
            if path is not None:
                _keep_a_copy(connection, path, head)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        raise DatabaseError(f"{where}: {_advice(error)}") from error
    except BackupError as error:
        raise DatabaseError(f"{where}: {error}") from error


def _configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache  # it imports every migration, and they change only with the program
def _migrations() -> ScriptDirectory:
    return ScriptDirectory.from_config(_configuration())


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _keep_a_copy(connection: Connection, path: Path, head: str) -> None:
    """Copy the file if it holds data and is about to change; asked again, now that it is ours."""
    current = _revision(connection)
    if current in {None, head} or not _holds_data(connection):
        return
    copy = back_up(path, str(current))
    _log.warning(
        "%s: brought from schema %s to %s; what it was before is in %s", path, current, head, copy
    )


def _holds_data(connection: Connection) -> bool:
    names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    return any(
        connection.execute(select(literal(1)).select_from(table(name)).limit(1)).first()
        for name in names
    )


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
    if "locked" in cause or "lock timeout" in cause:
        return f"another program holds it ({cause}); stop the other one first"
    if "already exists" in cause:
        return f"it holds tables of another program ({cause}); set another store.url"
    if isinstance(error, OperationalError):
        return f"the server cannot be reached or refuses ({cause}); check store.url"
    return f"it cannot be used ({cause})"
