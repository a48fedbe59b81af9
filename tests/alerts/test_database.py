"""Opening the database, and its faults in words."""

import stat
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from alerts.database import MIGRATIONS, DatabaseError, open_database
from alerts.models import Model
from alerts.queries import list_incidents


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


def test_the_migrations_build_what_the_models_say(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'v.db'}"
    for _ in range(2):
        engine = open_database(url)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Model.metadata) == []
        engine.dispose()


def test_incidents_from_before_members_were_counted_are_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'v.db'}"
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    old = create_engine(url)
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        for identity, kind in enumerate(("client", "route"), start=1):
            connection.execute(
                text(
                    "insert into incidents (id, version, severity, status, auto_resolved, mode,"
                    " entity_type, entity, members, detectors, tags, started_at, last_at, summary,"
                    " calms) values (:id, 1, 3, 'open', 0, 'alert', :kind, 'e', '[\"e\"]', '[]',"
                    " '[]', '2025-11-03 09:00:00', '2025-11-03 09:01:00', 's', 0)"
                ),
                {"id": identity, "kind": kind},
            )
    old.dispose()
    engine = open_database(url)
    found = {view.entity_type: view for view in list_incidents(engine).items}
    assert {kind: view.member_count for kind, view in found.items()} == {"client": 1, "route": 0}
    assert {view.parent_id for view in found.values()} == {None}
    engine.dispose()


def test_a_database_in_memory_works() -> None:
    engine = open_database("sqlite://")
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from incidents")).scalar() == 0
    engine.dispose()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'v.db'}"
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    engine.dispose()
    with pytest.raises(DatabaseError, match="newer than this program; update"):
        open_database(url)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(DatabaseError, match=r"damaged or is not a database.*restore"):
        open_database(f"sqlite:///{path}")


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    engine = open_database(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("drop table alembic_version"))
    engine.dispose()
    with pytest.raises(DatabaseError, match="another program"):
        open_database(f"sqlite:///{path}")


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
