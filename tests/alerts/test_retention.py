"""What is old goes, batch by batch, and a replay does not bring it back."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, insert, select, update

from alerts.database.models import (
    DeliveryAttemptRow,
    DeliveryRow,
    EvidenceRow,
    FindingRow,
    IncidentRow,
    MemberRow,
    Model,
    NotificationRow,
    SilenceRow,
    TimelineRow,
    TombstoneRow,
    table_of,
)
from alerts.deletion.incidents import Deleted
from alerts.deletion.retention import prune
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from alerts.storage.tombstones import Tombstones
from detectors.findings import Evidence, Finding, Level

START = datetime(2025, 1, 6, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
TOMBSTONES = Tombstones(b"s" * 32)
LATER = START + 500 * DAY


def finding(
    first: float, last: float, entity: str = "203.0.113.7", day: int = 0, **changes: Any
) -> Finding:
    begin = START + day * DAY
    values: dict[str, Any] = {
        "detector": "recon",
        "entity_type": "client",
        "entity": entity,
        "first": begin + first * MINUTE,
        "last": begin + last * MINUTE,
        "value": 43,
        "threshold": 10,
        "unit": "distinct missing paths",
        "window": 2 * MINUTE,
        "level": Level.HIGH,
        "evidence": (Evidence(begin + first * MINUTE, "log", int(first), "GET /x"),),
    }
    return Finding(**{**values, **changes})


def many(first: float, last: float, *clients: str, **changes: Any) -> Finding:
    values = {"entity_type": "route", "detector": "many", "members": frozenset(clients)}
    return finding(first, last, **{"entity": "GET /", **values, **changes})


def count(engine: Engine, model: type[Model]) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table_of(model))).scalar_one()


def counts(engine: Engine) -> dict[str, int]:
    return {
        model.__tablename__: count(engine, model)
        for model in (IncidentRow, FindingRow, MemberRow, EvidenceRow, TimelineRow, NotificationRow)
    }


def entities(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        query = select(IncidentRow.entity).where(IncidentRow.merged_into.is_(None))
        return sorted(connection.execute(query).scalars())


def recorded(engine: Engine, found: Iterable[Finding], watermark: datetime | None = LATER) -> Store:
    store = Store(engine, notify_max_age=2000 * DAY, tombstones=TOMBSTONES)
    store.record(list(found), watermark=watermark, routing=Routing.everything_to("ops"))
    return store


def delivered(engine: Engine, state: str, created_at: datetime) -> int:
    """Bundle all notifications that there are into a delivery."""
    values = {
        "target": "ops",
        "group_key": "",
        "idempotency_key": f"{state}{created_at}",
        "digest": False,
        "title": "t",
        "created_at": created_at,
        "state": state,
        "attempts": 1,
        "next_attempt_at": created_at,
    }
    attempt = {"number": 1, "started_at": created_at}
    with engine.begin() as connection:
        statement = insert(DeliveryRow).values(values).returning(DeliveryRow.id)
        identity = connection.execute(statement).scalar_one()
        connection.execute(insert(DeliveryAttemptRow).values(delivery_id=identity, **attempt))
        connection.execute(update(NotificationRow).values(delivery_id=identity, state=state))
    return identity


def test_old_incidents_go_with_all_their_rows(engine: Engine) -> None:
    recorded(engine, [finding(0, 1), many(0, 2, "203.0.113.7", "203.0.113.8")])
    delivered(engine, "sent", LATER)
    gone = prune(engine, START + 400 * DAY, tombstones=TOMBSTONES)
    assert gone == Deleted()
    gone = prune(engine, START + 401 * DAY, tombstones=TOMBSTONES)
    assert (gone.incidents, gone.findings, gone.members, gone.evidence) == (2, 2, 2, 2)
    assert gone.timeline > 0
    assert gone.notifications > 0
    assert gone.deliveries == 1
    assert set(counts(engine).values()) == {0}
    assert count(engine, DeliveryRow) == count(engine, DeliveryAttemptRow) == 0
    assert count(engine, TombstoneRow) == 2


def test_what_is_open_stays_however_old(engine: Engine) -> None:
    recorded(engine, [finding(0, 1)], watermark=None)
    before = counts(engine)
    assert prune(engine, LATER, tombstones=TOMBSTONES) == Deleted()
    with engine.begin() as connection:
        connection.execute(update(IncidentRow).values(status="acknowledged"))
    assert prune(engine, LATER, tombstones=TOMBSTONES) == Deleted()
    assert counts(engine) == before


def test_newer_ones_stay_whole(engine: Engine) -> None:
    recorded(engine, [finding(0, 1), finding(0, 1, "198.51.100.1", day=300)])
    prune(engine, LATER, tombstones=TOMBSTONES)
    assert entities(engine) == ["198.51.100.1"]
    assert counts(engine)["findings"] == counts(engine)["evidence"] == 1


def test_parts_of_what_goes_stand_for_themselves(engine: Engine) -> None:
    store = recorded(engine, [many(0, 5, "203.0.113.7", "203.0.113.8")], watermark=None)
    store.record([finding(1, 2)], watermark=None)
    with engine.begin() as connection:
        connection.execute(
            update(IncidentRow).where(IncidentRow.entity_type == "route").values(status="closed")
        )
        parents = connection.execute(select(IncidentRow.parent_id)).scalars().all()
    assert any(parents)
    prune(engine, LATER, tombstones=TOMBSTONES)
    with engine.connect() as connection:
        (row,) = connection.execute(select(table_of(IncidentRow))).all()
    assert (row.entity, row.parent_id, row.status) == ("203.0.113.7", None, "open")


def test_what_was_merged_goes_with_its_elder(engine: Engine) -> None:
    store = recorded(engine, [finding(0, 1)], watermark=None)
    store.record([finding(60, 61)], watermark=None)
    store.record([finding(120, 121)], watermark=None)
    store.record([finding(80, 100)], watermark=None)  # joins the two younger
    store.record([finding(20, 40)], watermark=None)  # and they the eldest
    with engine.connect() as connection:
        merged = select(func.count()).where(IncidentRow.merged_into.is_not(None))
        assert connection.execute(merged).scalar_one() == 2
    assert prune(engine, LATER, tombstones=TOMBSTONES) == Deleted()
    store.record([], watermark=LATER)
    assert prune(engine, LATER, tombstones=TOMBSTONES, batch=1).incidents == 3
    assert count(engine, TombstoneRow) == 3


def test_a_call_deletes_no_more_than_it_may(engine: Engine) -> None:
    recorded(engine, [finding(0, 1, f"10.0.0.{number}") for number in range(9)])
    gone = prune(engine, LATER, tombstones=TOMBSTONES, batch=2, batches=3)
    assert gone.incidents == 6
    assert prune(engine, LATER, tombstones=TOMBSTONES, batch=2, batches=3).incidents == 3


def test_what_was_sent_is_forgotten_sooner(engine: Engine) -> None:
    recorded(engine, [finding(0, 1)], watermark=None)
    delivered(engine, "sent", START)
    now = START + 90 * DAY
    assert prune(engine, now, tombstones=TOMBSTONES).deliveries == 0
    assert prune(engine, now + MINUTE, tombstones=TOMBSTONES) == Deleted(deliveries=1)
    assert count(engine, DeliveryAttemptRow) == 0
    with engine.connect() as connection:
        (row,) = connection.execute(select(table_of(NotificationRow))).all()
    assert (row.state, row.delivery_id) == ("sent", None)


def test_what_is_still_to_be_sent_stays(engine: Engine) -> None:
    recorded(engine, [finding(0, 1)], watermark=None)
    delivered(engine, "pending", START)
    assert prune(engine, LATER, tombstones=TOMBSTONES) == Deleted()


def test_a_message_about_several_goes_with_the_last(engine: Engine) -> None:
    recorded(engine, [finding(0, 1), finding(0, 1, "198.51.100.1", day=300)])
    delivered(engine, "pending", LATER)
    assert prune(engine, LATER, tombstones=TOMBSTONES).deliveries == 0
    assert count(engine, DeliveryRow) == 1
    assert prune(engine, LATER + 400 * DAY, tombstones=TOMBSTONES).deliveries == 1


def test_silences_go_when_they_are_as_old(engine: Engine) -> None:
    silence = {
        "matchers": {},
        "comment": "",
        "created_by": "ada",
        "created_at": START,
        "starts_at": START,
        "ends_at": START + DAY,
    }
    with engine.begin() as connection:
        connection.execute(insert(SilenceRow).values(silence))
    prune(engine, START + 400 * DAY, tombstones=TOMBSTONES)
    assert count(engine, SilenceRow) == 1
    prune(engine, START + 402 * DAY, tombstones=TOMBSTONES)
    assert count(engine, SilenceRow) == 0


def test_tombstones_of_the_pruned_do_not_pile_up(engine: Engine) -> None:
    recorded(engine, [finding(0, 1)])
    prune(engine, LATER, tombstones=TOMBSTONES)
    prune(engine, START + 800 * DAY, tombstones=TOMBSTONES)
    assert count(engine, TombstoneRow) == 1
    prune(engine, START + 801 * DAY, tombstones=TOMBSTONES)
    assert count(engine, TombstoneRow) == 0


def test_a_replay_does_not_bring_back_what_was_pruned(engine: Engine) -> None:
    found = [finding(0, 5), finding(3, 9, "198.51.100.1"), many(0, 2, "203.0.113.7")]
    store = recorded(engine, found)
    prune(engine, LATER, tombstones=TOMBSTONES)
    assert store.record(found, watermark=LATER) == []
    assert store.record([finding(1, 2)], watermark=LATER) == []
    assert entities(engine) == []


def test_what_goes_beyond_is_a_new_incident(engine: Engine) -> None:
    store = recorded(engine, [finding(0, 5)])
    prune(engine, LATER, tombstones=TOMBSTONES)
    opened = store.record([finding(4, 6)], watermark=None)
    assert [transition.kind for transition in opened] == ["opened"]
    assert opened[0].incident.started_at == START + 4 * MINUTE
    assert store.record([finding(1, 2, "192.0.2.1")], watermark=None) != []
    assert store.record([finding(1, 2, detector="other")], watermark=None) == []


def test_another_secret_knows_no_tombstone(engine: Engine) -> None:
    recorded(engine, [finding(0, 5)])
    prune(engine, LATER, tombstones=TOMBSTONES)
    store = Store(engine, tombstones=Tombstones(b"t" * 32))
    assert store.record([finding(0, 5)], watermark=None) != []


def test_no_number_is_given_twice(engine: Engine) -> None:
    store = recorded(engine, [finding(0, 1), finding(0, 1, "198.51.100.1")])
    with engine.connect() as connection:
        before = set(connection.execute(select(IncidentRow.id)).scalars())
    prune(engine, LATER, tombstones=TOMBSTONES)
    opened = store.record([finding(0, 1, "192.0.2.1"), finding(0, 1, "192.0.2.2")], watermark=None)
    assert len(opened) == 2
    assert min(transition.incident_id for transition in opened) > max(before)


def test_a_tombstone_names_nobody(engine: Engine) -> None:
    recorded(engine, [finding(0, 1)])
    prune(engine, LATER, tombstones=TOMBSTONES)
    with engine.connect() as connection:
        (row,) = connection.execute(select(table_of(TombstoneRow))).all()
    assert "203.0.113.7" not in str(row)
    assert row.digest == TOMBSTONES.digest("client", "203.0.113.7")
    assert row.digest != Tombstones(b"t" * 32).digest("client", "203.0.113.7")


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_findings_of_today_cost_one_look(engine: Engine) -> None:
    recorded(engine, [finding(0, 1)])
    prune(engine, LATER, tombstones=TOMBSTONES)
    statements: list[str] = []
    event.listen(
        engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2])
    )
    Store(engine, tombstones=TOMBSTONES).record([finding(0, 1, day=480)], watermark=None)
    about = [statement for statement in statements if "tombstones" in statement]
    assert len(about) == 2  # one look at times, one at numbers
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"explain query plan {about[0]}", ("x", 1, 0)).all()
    assert all("SEARCH" in step[3] and "INDEX" in step[3] for step in plan)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_pruning_in_between_leaves_nothing_half(
    emptied: Callable[[], Engine], data: st.DataObject
) -> None:
    engine = emptied()
    places = st.tuples(st.integers(0, 300), st.integers(0, 20), st.sampled_from(["a", "b"]))
    found = [
        many(first, first + length, "a", "b")
        if data.draw(st.booleans())
        else finding(first, first + length, entity)
        for first, length, entity in data.draw(st.lists(places, min_size=1, max_size=10))
    ]
    store = Store(engine, tombstones=TOMBSTONES)
    for item in found:
        watermark = data.draw(st.sampled_from([None, START + 150 * MINUTE, LATER]))
        store.record([item], watermark=watermark)
        if data.draw(st.booleans()):
            prune(engine, LATER, tombstones=TOMBSTONES, batch=1)
    store.record([], watermark=LATER)
    prune(engine, LATER, tombstones=TOMBSTONES)
    assert set(counts(engine).values()) == {0}
    assert store.record(found, watermark=LATER) == []
