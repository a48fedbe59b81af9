"""Opening the database, and its faults in words."""

import stat
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from alerts.database import opening
from alerts.database.opening import DatabaseError, for_one_statement, open_database


def test_a_new_file_is_private_and_ready(tmp_path: Path) -> None:
    path = tmp_path / "new folder 100%" / "v.db"
    engine = open_database(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with engine.connect() as connection:
        assert connection.execute(text("pragma journal_mode")).scalar() == "wal"
        assert connection.execute(text("pragma foreign_keys")).scalar() == 1
        assert connection.execute(text("pragma busy_timeout")).scalar() == 10_000
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("insert into findings (incident_id) values (99)"))
    engine.dispose()


def test_a_database_in_memory_works() -> None:
    engine = open_database("sqlite://")
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from incidents")).scalar() == 0
    engine.dispose()


def test_a_newer_schema_is_refused(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer than this program; update"):
        open_database(database_url)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(DatabaseError, match=r"damaged or is not a database.*restore"):
        open_database(f"sqlite:///{path}")


def test_a_database_of_another_program_is_refused(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("drop table alembic_version"))
    with pytest.raises(DatabaseError, match="another program"):
        open_database(database_url)


def test_an_unwritable_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "v.db", tmp_path):
        with pytest.raises(DatabaseError, match=r"set store\.url to a file"):
            open_database(f"sqlite:///{place}")


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://host/x", "mysql are not supported"),
    ],
)
def test_other_addresses_are_refused(url: str, match: str) -> None:
    with pytest.raises(DatabaseError, match=match):
        open_database(url)


def test_passwords_are_not_shown() -> None:
    with pytest.raises(DatabaseError) as caught:
        open_database("postgresql://user:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in str(caught.value)


def backend(engine: Engine) -> int:
    with for_one_statement(engine).connect() as connection:
        return int(connection.execute(text("select pg_backend_pid()")).scalar_one())


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_connection_that_was_lost_while_it_rested_is_replaced(
    engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = backend(engine)
    assert backend(engine) == lost, "it is kept"
    other = open_database(database_url)
    with other.connect() as connection:
        assert connection.execute(text("select pg_terminate_backend(:pid)"), {"pid": lost}).scalar()
    other.dispose()
    monkeypatch.setattr(opening, "_REST_SECONDS", 0)
    assert backend(engine) != lost


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_one_statement_needs_no_transaction(engine: Engine) -> None:
    state = text(
        "select pg_current_xact_id_if_assigned(), current_setting('transaction_isolation')"
    )
    with for_one_statement(engine).connect() as connection:
        assert connection.execute(state).one() == (None, "read committed")
        raw: psycopg.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        assert raw.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
    with engine.connect() as connection:  # the same one, as it was before
        assert connection.execute(state).one() == (None, "repeatable read")
