"""Databases of every earlier schema, with rows in them, brought to that of today."""

import logging
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, func, select, text

from alerts.database import backup
from alerts.database.models import Model
from alerts.database.opening import MIGRATIONS, DatabaseError, for_writing, open_database
from alerts.lists.queries import get_incident, list_incidents
from alerts.recovery.checkpoint import Checkpoint
from alerts.storage.store import Store
from alerts.storage.terms import renew_terms
from detectors.findings import Finding, Level
from tests.databases.fixtures import KINDS, new_database

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

CONFIG = Config()
CONFIG.set_main_option("script_location", str(MIGRATIONS))
CONFIG.set_main_option("path_separator", "os")
SCRIPTS = ScriptDirectory.from_config(CONFIG)
HEAD = str(SCRIPTS.get_current_head())
OLDER = sorted(script.revision for script in SCRIPTS.walk_revisions())[:-1]

TERMS = "incident_terms"

#: What the tables of each schema held; of columns that are not named, what _filled makes up.
INCIDENTS = [
    {"id": 7, "entity_type": "client", "entity": "203.0.113.7", "merged_into": None},
    {"id": 8, "entity_type": "client", "entity": "203.0.113.7", "merged_into": 7},
    {"id": 11, "entity_type": "route", "entity": "GET /Ä/{id}", "merged_into": None},
]
NOTIFICATIONS = [
    {"id": 3, "transition": "opened", "state": "sent", "attempts": 2},
    {"id": 4, "transition": "severity:high", "state": "pending", "attempts": 1},
    {"id": 6, "transition": "calm:1", "state": "pending", "attempts": 0},
    {"id": 9, "transition": "returned:1", "state": "dead", "attempts": 5},
]
#: What became of these in schema 0004.
DELIVERIES = [
    {"id": 1, "idempotency_key": "key3", "attempts": 2},
    {"id": 2, "idempotency_key": "key4", "attempts": 1},
    {"id": 3, "idempotency_key": "key9", "attempts": 5},
]
BUNDLED: dict[int, dict[str, Any]] = {
    3: {"delivery_id": 1},
    4: {"delivery_id": 2, "state": "bundled"},
    6: {"delivery_id": None},
    9: {"delivery_id": 3},
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "incidents": INCIDENTS,
    "findings": [
        {"id": 1, "incident_id": 7, "entity_type": "client", "entity": "203.0.113.7"},
        {"id": 2, "incident_id": 11, "entity_type": "route", "entity": "GET /Ä/{id}"},
    ],
    "members": [{"finding_id": 2, "client": "203.0.113.7"}],
    "evidence": [{"id": 1, "incident_id": 7, "path": None, "status": 404}],
    "timeline": [{"id": 5, "incident_id": 7, "detail": {"severity": "high", "text": "naïve 🎯"}}],
    "notifications": [
        {"incident_id": 7, "idempotency_key": f"key{row['id']}", **row} for row in NOTIFICATIONS
    ],
    "deliveries": DELIVERIES,
    "delivery_attempts": [{"id": 1, "delivery_id": 1}],
    "api_keys": [{"id": "abc", "mac": b"\0\xff", "role": "admin", "revoked_at": None}],
    "checkpoints": [{"id": 1, "state": b"\0state", "positions": {"files": {}}}],
    "quarantine_groups": [{"id": 4}],
    "quarantine_spans": [{"id": 4, "group_id": 4, "ranges": [[0, 9]]}],
    "quarantine_samples": [{"id": 4, "span_id": 4}],
    TERMS: [
        {"kind": "detector", "value": "recon", "incident_id": 7},
        {"kind": "word", "value": "203.0.113.7", "incident_id": 7},
    ],
}
#: Tables whose rows have no numbers.
UNNUMBERED = {"members", "api_keys", "checkpoints", TERMS}
#: Values by name of column, where the type alone does not do.
MADE_UP: dict[str, Any] = {
    "severity": 3,
    "status": "open",
    "mode": "alert",
    "level": 3,
    "resolution": None,
    "country": "DE",
    "parent_id": None,
    "members": ["203.0.113.7"],
    "detectors": ["recon"],
    "tags": ["attack.t1595"],
    "unit": "distinct missing paths",
    "started_at": START,
    "last_at": START + MINUTE,
    "first": START,
    "last": START + MINUTE,
    "curve": {},
}


Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Updated:
    """A database that was brought to the schema of today: its rows before and just after that."""

    engine: Engine
    before: Rows
    after: Rows


def at_revision(url: str, revision: str) -> Engine:
    """A database with the schema of a revision, not that of the models."""
    engine = open_empty(url)
    with for_writing(engine).begin() as connection:
        CONFIG.attributes["connection"] = connection
        command.upgrade(CONFIG, revision)
    return engine


def open_empty(url: str) -> Engine:
    return create_engine(url)


def filled(engine: Engine) -> Rows:
    """Put the rows into the tables that there are; return all of them, read back."""
    found = reflected(engine)
    with engine.begin() as connection:
        for table in found.sorted_tables:
            for row in ROWS.get(table.name, []):
                values = {c.name: made_up(c.name, c.type) for c in table.columns}
                known = dict(row)
                if table.name == "notifications" and "delivery_id" in values:
                    known |= BUNDLED[row["id"]]
                values |= {name: value for name, value in known.items() if name in values}
                connection.execute(table.insert().values(values))
        if engine.dialect.name == "postgresql":  # as if it had numbered them itself
            for name in ROWS.keys() & found.tables.keys() - UNNUMBERED:
                connection.execute(
                    text(
                        f"select setval(pg_get_serial_sequence('{name}', 'id'),"
                        f" (select max(id) from {name}))"
                    )
                )
    return stored(engine)


def made_up(name: str, kind: Any) -> Any:
    if name in MADE_UP:
        return MADE_UP[name]
    made: dict[type, Callable[[], Any]] = {
        str: lambda: f"{name} of old"[: kind.length],
        int: lambda: 1,
        bool: lambda: False,
        datetime: lambda: START,
        bytes: lambda: b"x",
        object: lambda: ["x"],  # JSON
    }
    return made[kind.python_type]()


def reflected(engine: Engine) -> MetaData:
    found = MetaData()
    found.reflect(engine)
    return found


def stored(engine: Engine) -> Rows:
    """All rows of all tables, by table and in order of their keys."""
    with engine.connect() as connection:
        return {
            table.name: [
                plain(row._mapping)
                for row in connection.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in reflected(engine).sorted_tables
            if table.name != "alembic_version"
        }


def plain(row: Any) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


@pytest.fixture(params=OLDER)
def old(request: pytest.FixtureRequest, new_database_url: str) -> Iterator[Engine]:
    """A database of an older schema."""
    engine = at_revision(new_database_url, request.param)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module", params=[(old, kind) for old in OLDER for kind in KINDS], ids=str)
def updated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Updated]:
    """One that the tests share; they may add rows to it."""
    revision, kind = request.param
    with new_database(kind, request, tmp_path_factory.mktemp("updated")) as url:
        old = at_revision(url, revision)
        before = filled(old)
        old.dispose()
        engine = open_database(url)
        yield Updated(engine, before, stored(engine))
        engine.dispose()


def test_the_migrations_build_what_the_models_say(new_database_url: str) -> None:
    for _ in range(2):
        engine = open_database(new_database_url)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Model.metadata) == []
        engine.dispose()


def test_an_old_database_ends_like_a_new_one(updated: Updated) -> None:
    engine = updated.engine
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Model.metadata) == []
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            assert connection.execute(text("pragma foreign_key_check")).all() == []
            assert connection.execute(text("pragma integrity_check")).scalar() == "ok"


def test_nothing_is_lost_or_changed_on_the_way(updated: Updated) -> None:
    now = updated.after
    for table, rows in updated.before.items():
        assert len(now[table]) == len(rows), table
        for row, kept in zip(rows, now[table], strict=True):
            both = (row.keys() & kept.keys()) - ({"state"} if table == "notifications" else set())
            assert {name: kept[name] for name in both} == {name: row[name] for name in both}


def test_notifications_go_on_where_they_were(updated: Updated) -> None:
    now = updated.after
    states = {row["id"]: row["state"] for row in now["notifications"]}
    assert states == {3: "sent", 4: "bundled", 6: "pending", 9: "dead"}
    by_id = {row["id"]: row for row in now["deliveries"]}
    tried = {n["id"]: by_id[n["delivery_id"]] for n in now["notifications"] if n["delivery_id"]}
    assert {identity: (d["idempotency_key"], d["attempts"]) for identity, d in tried.items()} == {
        3: ("key3", 2),
        4: ("key4", 1),
        9: ("key9", 5),
    }


def test_old_incidents_are_read_and_grow(updated: Updated) -> None:
    engine = updated.engine
    views = {view.id: view for view in list_incidents(engine).items}
    assert {identity: view.entity for identity, view in views.items()} == {
        7: "203.0.113.7",
        11: "GET /Ä/{id}",
    }
    grown = Finding(
        "recon",
        "client",
        "203.0.113.7",
        START + 2 * MINUTE,
        START + 3 * MINUTE,
        60,
        10,
        "distinct missing paths",
        MINUTE,
        Level.CRITICAL,
    )
    other = Finding(
        "recon", "client", "198.51.100.1", START, START, 60, 10, "paths", MINUTE, Level.HIGH
    )
    Store(engine).record(
        [grown, other],
        watermark=None,
        checkpoint=Checkpoint(2, "f", START, {}, b""),
    )
    detail = get_incident(engine, 7)
    assert detail is not None
    assert detail.incident.severity == "critical"
    assert next(entry.detail for entry in detail.timeline) == {
        "severity": "high",
        "text": "naïve 🎯",
    }
    assert {view.entity for view in list_incidents(engine).items} >= {"198.51.100.1"}


@pytest.mark.parametrize(
    "updated",
    [(old, kind) for old in OLDER if old < "0014" for kind in KINDS],  # later ones have their own
    indirect=True,
    ids=str,
)
def test_old_incidents_are_looked_up(updated: Updated) -> None:
    terms = {(row["kind"], row["value"], row["incident_id"]) for row in updated.after[TERMS]}
    words = {(value, incident) for kind, value, incident in terms if kind == "word"}
    assert words == {("203.0.113.7", 7), ("get", 11), ("ä", 11), ("id", 11)}
    assert {("detector", "recon", 11), ("tag", "attack.t1595", 7)} <= terms
    assert 8 not in {incident for *_, incident in terms}, "it is part of another"
    with updated.engine.begin() as connection:
        before = stored(updated.engine)[TERMS]
        renew_terms(connection, [7, 11])
    assert stored(updated.engine)[TERMS] == before, "the migration writes what the program does"


@pytest.mark.parametrize(
    "updated",
    [(old, kind) for old in ("0014", "0015") for kind in KINDS],
    indirect=True,
    ids=str,
)
def test_what_incidents_are_looked_up_by_learns_how_severe_they_are(updated: Updated) -> None:
    severities = {row["id"]: row["severity"] for row in updated.after["incidents"]}
    assert updated.before[TERMS]
    for row in updated.after[TERMS]:
        assert row["severity"] == severities[row["incident_id"]]


def test_new_rows_get_numbers_that_nobody_has(updated: Updated) -> None:
    engine = updated.engine
    names = ("notifications", "deliveries", "timeline", "findings")
    now = MetaData()
    now.reflect(engine, only=names)
    with engine.begin() as connection:
        for name in names:
            table = now.tables[name]
            row = dict(connection.execute(select(table).limit(1)).mappings().one())
            highest = connection.execute(select(func.max(table.c.id))).scalar_one()
            del row["id"]
            row |= {key: f"other {key}" for key in ("transition", "idempotency_key") if key in row}
            added = connection.execute(
                table.insert().values(row).returning(table.c.id)
            ).scalar_one()
            assert added > highest


def test_clients_are_counted_from_before_members_were(
    new_database_url: str, database_kind: str
) -> None:
    engine = at_revision(new_database_url, "0002")
    filled(engine)
    engine.dispose()
    engine = open_database(new_database_url)
    found = {view.entity_type: view.member_count for view in list_incidents(engine).items}
    assert found == {"client": 1, "route": 0}
    engine.dispose()


def backups(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.backup"))


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_file_with_data_is_copied_before(
    old: Engine, new_database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = filled(old)
    revision = version_of(old)
    old.dispose()
    with caplog.at_level(logging.WARNING):
        open_database(new_database_url).dispose()
    (copy,) = backups(tmp_path)
    assert copy.name == f"new.db.schema-{revision}.backup"
    assert str(copy) in caplog.text
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    restored = create_engine(f"sqlite:///{copy}")
    assert (version_of(restored), stored(restored)) == (revision, before)
    restored.dispose()
    assert not list(tmp_path.glob("*.draft"))
    open_database(new_database_url).dispose()
    assert backups(tmp_path) == [copy]


def version_of(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("select version_num from alembic_version")).scalar())


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_file_without_data_is_not_copied(
    old: Engine, new_database_url: str, tmp_path: Path
) -> None:
    old.dispose()
    open_database(new_database_url).dispose()
    assert backups(tmp_path) == []


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_migration_that_fails_is_tried_again_with_the_same_copy(
    new_database_url: str, tmp_path: Path
) -> None:
    engine = at_revision(new_database_url, OLDER[0])
    filled(engine)
    with engine.begin() as connection:
        connection.execute(text("create table quarantine_groups (id integer)"))
    for _ in range(2):
        with pytest.raises(DatabaseError, match="another program"):
            open_database(new_database_url)
    (copy,) = backups(tmp_path)
    with engine.begin() as connection:
        connection.execute(text("drop table quarantine_groups"))
        connection.execute(text("update incidents set summary = 'written after the copy'"))
    engine.dispose()
    open_database(new_database_url).dispose()
    assert backups(tmp_path) == sorted([copy, copy.with_name(f"new.db.schema-{OLDER[0]}-2.backup")])


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_without_a_copy_nothing_is_migrated(
    new_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine = at_revision(new_database_url, OLDER[-1])
    before = filled(engine)

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "hardlink_to", full)
    with pytest.raises(DatabaseError, match=r"nothing was changed; make room"):
        open_database(new_database_url)
    assert stored(engine) == before
    assert version_of(engine) == OLDER[-1]
    engine.dispose()


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_program_too_old_is_told_of_the_copy(
    new_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_database(new_database_url)
    copy = backup.back_up(tmp_path / "new.db", HEAD)
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    engine.dispose()
    with pytest.raises(DatabaseError) as caught:
        open_database(new_database_url)
    assert f"made before the update ({copy})" in str(caught.value)
