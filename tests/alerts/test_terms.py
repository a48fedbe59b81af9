"""What incidents are looked up by agrees with what they are, whatever was done to them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from alerts.actions import Change, change_incident
from alerts.database.models import IncidentRow, TermRow, table_of
from alerts.deletion.erasure import erase_entity
from alerts.deletion.retention import prune
from alerts.lists import looking_up
from alerts.lists.filters import IncidentFilter
from alerts.lists.queries import list_incidents
from alerts.storage.store import Store
from alerts.storage.terms import VALUE_LIMIT, probe_of, renew_terms, words_of
from alerts.storage.tombstones import Tombstones
from detectors.findings import EntityType, Evidence, Finding, Level

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOMBS = Tombstones(b"secret" * 8)


def finding(minutes: int, entity: str, detector: str = "recon", **more: Any) -> Finding:
    first = START + minutes * MINUTE
    service = more.pop("service", "shop")
    kind: EntityType = more.pop("kind", "client")
    shown = Evidence(first, "log", minutes, f"GET /by/{entity} 404", "/a", 404, service)
    return Finding(
        *(detector, kind, entity, first, first + MINUTE, 43, 10, "paths", 2 * MINUTE),
        more.pop("level", Level.MEDIUM),
        evidence=(shown,),
        **more,
    )


def record(engine: Engine, *findings: Finding) -> None:
    Store(engine).record(findings, watermark=None)


def kept(engine: Engine) -> set[tuple[Any, ...]]:
    terms = table_of(TermRow)
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(select(terms))}


def meant(engine: Engine) -> set[tuple[Any, ...]]:
    """Return what should be kept, worked out from the incidents as they are."""
    found: set[tuple[Any, ...]] = set()
    kinds = ("detectors", "services", "tags", "stages", "labels")
    with engine.connect() as connection:
        for row in connection.execute(select(table_of(IncidentRow))).mappings():
            values = {(kind[:-1], value) for kind in kinds for value in row[kind]}
            values |= {("word", word) for word in words_of(row["entity"])}
            if row["merged_into"] is None:
                found |= {(*value, row["last_at"], row["id"], row["severity"]) for value in values}
    return found


def test_terms_follow_their_incidents(engine: Engine) -> None:
    record(engine, finding(0, "a", tags=("attack.t1110",)), finding(0, "mia@x.org", kind="user"))
    assert kept(engine) == meant(engine)
    assert ("tag", "attack.t1110", START + MINUTE, 1, Level.MEDIUM) in kept(engine)
    record(engine, finding(20, "a", "burst", service="pay", level=Level.HIGH))
    assert kept(engine) == meant(engine)
    assert ("service", "pay", START + 21 * MINUTE, 1, Level.HIGH) in kept(engine)
    record(engine, finding(60, "a"), finding(100, "a"))
    record(engine, finding(80, "a"))
    with engine.connect() as connection:
        merged = connection.execute(
            select(IncidentRow.id).where(IncidentRow.merged_into.is_not(None))
        )
        assert merged.scalars().all(), "two have joined"
    assert kept(engine) == meant(engine)
    for change in (Change(add_labels=("vip", "ours")), Change(remove_labels=("vip",))):
        change_incident(engine, 1, change, actor="mia", now=START)
        assert kept(engine) == meant(engine)
    assert ("label", "ours") in {row[:2] for row in kept(engine)}


def test_terms_of_what_is_erased_or_expired_go(engine: Engine) -> None:
    record(
        engine,
        finding(0, "a"),
        finding(0, "GET /users/mia@x.org", kind="route", detector="spray"),
        finding(0, "mia@x.org", kind="user", service="mia@x.org"),
    )
    change_incident(engine, 1, Change(add_labels=("of mia@x.org",)), actor="ann", now=START)
    erase_entity(engine, "user", ["mia@x.org"], tombstones=TOMBS, now=START)
    assert kept(engine) == meant(engine)
    assert not [row for row in kept(engine) if "mia" in row[1]]
    change_incident(engine, 1, Change(status="closed", resolution="benign"), actor="ann", now=START)
    assert prune(engine, START + timedelta(days=900), tombstones=TOMBS).incidents == 1
    assert kept(engine) == meant(engine)


def test_words() -> None:
    assert words_of("203.0.113.7") == ["203.0.113.7"]
    assert words_of("GET /Orders/{id}") == ["get", "orders", "id"]
    assert words_of("Mia@Example.org") == ["mia@example.org", "mia", "example", "org"]
    assert words_of("2001:db8::7") == ["2001:db8::7", "2001", "db8", "7"]
    assert max(map(len, words_of("x" * 500))) == VALUE_LIMIT
    assert probe_of("113.7") == "113.7"
    assert probe_of("/orders/{id") == "orders"
    assert probe_of("{} /") is None


@pytest.fixture
def old(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Incidents of which only the newest two are looked through."""
    monkeypatch.setattr(looking_up, "SCANNED", 1)
    names = ("203.0.113.7", "203.0.113.70", "mia@example.org", "198.51.100.1", "192.0.2.1")
    record(engine, *(finding(n, name) for n, name in enumerate(names)))
    return engine


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("203.0.113.7", ["203.0.113.70", "203.0.113.7"]),
        ("203.0", ["203.0.113.70", "203.0.113.7"]),
        ("EXAMPLE.o", ["mia@example.org"]),
        ("100.1", ["198.51.100.1"]),  # as it is new
        ("113.7", []),  # as no word begins so
        ("PATHS", ["192.0.2.1", "198.51.100.1"]),  # of the summaries of new ones alone
        ("{}", []),
    ],
)
def test_names_are_found_by_their_words_however_old(
    old: Engine, wanted: str, found: list[str]
) -> None:
    for order in ("last", "start", "severity"):
        page = list_incidents(old, IncidentFilter(text=wanted, sort=order))
        assert [item.entity for item in page.items] == found
    cursor, seen = None, list[str]()
    while cursor is not None or not seen:
        some = list_incidents(old, IncidentFilter(text=wanted), cursor, 1)
        seen += [item.entity for item in some.items] or ["-"]
        cursor = some.next_cursor
    assert seen == (found or ["-"])


@pytest.mark.parametrize("sort", ["last", "start", "severity"])
@pytest.mark.parametrize("few", [0, 5_000])
def test_several_values_at_once(
    engine: Engine, sort: Any, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking_up, "FEW", few)
    tags = ("attack.t1110",)
    record(
        engine,
        finding(0, "a", tags=tags),
        finding(1, "b", tags=tags, service="pay", level=Level.HIGH),
        finding(2, "c", tags=tags, detector="other"),
        finding(3, "d"),
    )
    for asked, entities in (
        ({"tag": tags[0], "service": "shop"}, "ac"),
        ({"tag": tags[0], "service": "shop", "detector": "recon"}, "a"),
        ({"tag": tags[0], "statuses": ("open",)}, "abc"),
        ({"service": "shop", "statuses": ("open", "closed")}, "acd"),
        ({"service": "shop", "entity": "d"}, "d"),
        ({"service": "shop", "text": "client c"}, "c"),
        ({"tag": tags[0], "since": START + 2 * MINUTE}, "bc"),
        ({"tag": tags[0], "severity_min": Level.HIGH}, "b"),
        ({"tag": tags[0], "severities": (Level.HIGH, Level.MEDIUM)}, "abc"),
        ({"tag": tags[0], "severities": (Level.MEDIUM,), "severity_min": Level.HIGH}, ""),
    ):
        wanted = IncidentFilter(**asked, sort=sort)
        assert sorted(i.entity for i in list_incidents(engine, wanted).items) == [*entities]


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("wanted", "plan"),
    [
        (IncidentFilter(), "SEARCH incidents USING INDEX ix_incidents_parent_id_last_at_id"),
        (IncidentFilter(label="vip"), "SEARCH incident_terms USING PRIMARY KEY (kind=? AND value"),
        (
            IncidentFilter(label="vip", sort="severity"),
            "SEARCH incident_terms USING COVERING INDEX ix_incident_terms_kind_value_severity",
        ),
        (
            IncidentFilter(label="vip", severities=(Level.HIGH,)),
            "SEARCH incident_terms USING COVERING INDEX ix_incident_terms_kind_value_severity",
        ),
        (
            IncidentFilter(label="vip", statuses=("open",)),
            "SEARCH incidents USING INDEX ix_incidents_status_last_at_id (status=?)",
        ),
        (
            IncidentFilter(until=START),
            "SCAN incidents USING INDEX ix_incidents_last_at_id_started_at",
        ),
        (IncidentFilter(text="vip"), "SCAN incidents USING INDEX ix_incidents_last_at_id_started"),
    ],
)
def test_lists_follow_an_index_and_sort_nothing(
    engine: Engine, wanted: IncidentFilter, plan: str
) -> None:
    with engine.connect() as connection:
        by_term = bool(wanted.label) and not wanted.statuses
        query = looking_up.query_for("sqlite", wanted, "all", by_term=by_term, onwards=False)
        compiled = query.params(most=51).compile(engine, compile_kwargs={"literal_binds": True})
        written = "EXPLAIN QUERY PLAN " + str(compiled).replace(":", r"\:")
        steps = [row[3] for row in connection.execute(text(written))]
    assert steps.pop(0).startswith("CO-ROUTINE")
    assert steps[0].startswith(plan)
    assert not [step for step in steps if "TEMP B-TREE" in step]


def test_terms_are_worked_out_anew(engine: Engine) -> None:
    record(engine, finding(0, "a"))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM incident_terms"))
        renew_terms(connection, [1, 2])
    assert kept(engine) == meant(engine)
