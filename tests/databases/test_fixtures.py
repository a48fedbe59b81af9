"""Without PostgreSQL tests are skipped on a laptop and fail in continuous integration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from alerts.database.opening import open_database
from tests.databases.fixtures import shown
from tests.databases.postgresql import Server

ROOT = Path(__file__).parents[2]
ON_BOTH = "tests/databases/test_fixtures.py::test_names_are_in_another_order_than_in_sqlite"


def tried(tmp_path: Path, test: str, **environment: str) -> tuple[int, str]:
    """Run a test in a process of its own, without PostgreSQL's programs."""
    left = {name: value for name, value in os.environ.items() if name not in {"CI", "DATABASE_URL"}}
    hide = f"import tests.databases.postgresql as p, pytest; p._DEBIAN = p.Path({str(tmp_path)!r});"
    options = ["-q", "-n0", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'inner'}", test]
    done = subprocess.run(
        [sys.executable, "-c", f"{hide} raise SystemExit(pytest.main({options!r}))"],
        cwd=ROOT,
        env=left | {"PATH": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def test_names_are_in_another_order_than_in_sqlite(postgresql: Server) -> None:
    url = postgresql.create()
    engine = open_database(shown(url))
    with engine.connect() as connection:
        names = connection.execute(text("select * from (values ('b'), ('C'), ('_a')) t order by 1"))
        assert list(names.scalars()) != sorted(["b", "C", "_a"])
        assert connection.execute(text("select current_setting('fsync')")).scalar() == "off"
    engine.dispose()
    postgresql.drop(url)


def test_each_test_has_a_database_of_its_own(postgresql: Server) -> None:
    first, second = postgresql.create(), postgresql.create()
    assert first.database != second.database
    for url in (first, second):
        postgresql.drop(url)


def test_a_laptop_without_postgresql_skips(tmp_path: Path) -> None:
    status, said = tried(tmp_path, ON_BOTH)
    assert status == 0, said
    assert "1 skipped" in said
    assert "no PostgreSQL can be started here without initdb" in said
    assert "DATABASE_URL=postgresql://" in said


def test_continuous_integration_without_postgresql_fails(tmp_path: Path) -> None:
    status, said = tried(tmp_path, ON_BOTH, CI="true")
    assert status == 1
    assert "no PostgreSQL can be started here without initdb" in said


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
def test_a_server_of_the_user_is_used_and_left_clean(
    driver: str, postgresql: Server, tmp_path: Path
) -> None:
    test = "tests/alerts/test_keys.py::test_a_key_opens"
    before = databases(postgresql)
    given = shown(make_url(shown(postgresql.url)).set(drivername=driver))
    status, said = tried(tmp_path, test, DATABASE_URL=given)
    assert status == 0, said
    assert "skipped" not in said
    assert databases(postgresql) == before


def databases(server: Server) -> set[str]:
    engine = open_database(shown(server.create()))
    with engine.connect() as connection:
        found = set(connection.execute(text("select datname from pg_database")).scalars())
    own = engine.url
    engine.dispose()
    server.drop(own)
    return found - {str(own.database)}
