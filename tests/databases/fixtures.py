"""Databases of tests: each test that takes one runs on SQLite and on PostgreSQL.

DATABASE_URL in the environment names a PostgreSQL server of your own: the tests create databases
there and drop them. Without it a server is started, once for all tests; where that cannot be,
tests on PostgreSQL are skipped, under CI=true they fail.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import URL, Engine, delete, make_url, update

from alerts.database.models import IncidentRow, Model
from alerts.database.opening import open_database
from tests.databases.postgresql import Server, obstacle, running_server

DATABASE_URL: Final = "DATABASE_URL"

KINDS: Final = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A server on which tests may create databases."""
    given = os.environ.get(DATABASE_URL)
    if given:
        yield Server(make_url(given).set(drivername="postgresql+psycopg"))
        return
    reason = obstacle()
    if reason:
        _cannot(reason)
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Server) -> Iterator[URL]:
    """A database with all tables and no rows, to copy."""
    template = postgresql.create()
    open_database(shown(template)).dispose()
    yield template
    postgresql.drop(template)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    file = tmp_path_factory.mktemp("template") / "v.db"
    open_database(f"sqlite:///{file}").dispose()
    return file


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """The kind of database that this run of the test has."""
    return str(request.param)


@pytest.fixture
def database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The address of a database for this test alone: all tables, no rows."""
    with _ready(database_kind, request, tmp_path) as url:
        yield url


@pytest.fixture
def new_database_url(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[str]:
    """The address of a database for this test alone, without tables."""
    with new_database(database_kind, request, tmp_path) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database for this test alone, opened."""
    opened = open_database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module", params=KINDS)
def emptied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Engine]]:
    """A database that tests of a module share; called, it is empty. For Hypothesis's examples."""
    with _ready(request.param, request, tmp_path_factory.mktemp("shared")) as url:
        opened = open_database(url)

        def fresh() -> Engine:
            erase(opened)
            return opened

        yield fresh
        opened.dispose()


def erase(engine: Engine) -> None:
    """Delete all rows."""
    with engine.begin() as connection:
        connection.execute(update(IncidentRow).values(parent_id=None, merged_into=None))
        for table in reversed(Model.metadata.sorted_tables):
            connection.execute(delete(table))


@contextmanager
def new_database(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Give the address of a database without tables."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'new.db'}"
        return
    server: Server = request.getfixturevalue("postgresql")
    url = server.create()
    yield shown(url)
    server.drop(url)


def shown(url: URL) -> str:
    """Write an address with its password."""
    return url.render_as_string(hide_password=False)


@contextmanager
def _ready(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        file = folder / "v.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    server: Server = request.getfixturevalue("postgresql")
    url = server.create(template=request.getfixturevalue("postgresql_template"))
    yield shown(url)
    server.drop(url)


def _cannot(reason: str) -> None:
    """Skip on somebody's laptop, fail where every test has to run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(f"{reason}; {DATABASE_URL}=postgresql://user:password@host/database names one")
