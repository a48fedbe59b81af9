"""Traffic in the database: absolute rows, as points of even length, gone when they are old."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from alerts.database.models import TrafficRow, TrafficTopRow
from alerts.deletion.erasure import erase_entity, kept_about
from alerts.recovery.checkpoint import Checkpoint
from alerts.storage.store import Store
from alerts.storage.tombstones import Tombstones
from alerts.traffic.counts import expire_traffic
from alerts.traffic.queries import (
    TrafficEntry,
    TrafficRangeError,
    traffic_series,
    traffic_services,
    traffic_tops,
)
from detectors.traffic import EVERY, TrafficSlot, TrafficTop

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

#: Where the SQL is not the point.
ON_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)


def micros(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000


def slot(at: datetime = NOW, requests: int = 10, step: int = 60, **changes: Any) -> TrafficSlot:
    ordinary = TrafficSlot(EVERY, "edge", step, micros(at), requests, 1, 2, 3, 100, 5_000, 9_000)
    return ordinary._replace(**changes)


def top(at: datetime = NOW, *entries: tuple[str, int, int], **changes: Any) -> TrafficTop:
    total = sum(count for _, count, _ in entries)
    return TrafficTop(EVERY, "edge", "route", micros(at), total, entries)._replace(**changes)


def record(engine: Engine, *rows: TrafficSlot | TrafficTop) -> None:
    Store(engine).record([], watermark=None, checkpoint=Checkpoint(2, "f", None), traffic=rows)


@ON_SQLITE
def test_points_are_of_even_length_and_without_gaps(engine: Engine) -> None:
    record(
        engine,
        slot(NOW),
        slot(NOW + MINUTE, 30, p50_us=9_000, p95_us=8_000),
        slot(NOW + 4 * MINUTE, 1, p50_us=None, p95_us=None),
        slot(NOW, service="shop"),
        slot(NOW, role="internal"),
    )
    found = traffic_series(engine, since=NOW, until=NOW + 6 * MINUTE, step=120)
    assert [(point.at, point.requests) for point in found.points] == [
        (NOW, 40),
        (NOW + 2 * MINUTE, 0),
        (NOW + 4 * MINUTE, 1),
    ]
    first, empty, _ = found.points
    assert (first.client_errors, first.refused, first.server_errors) == (2, 4, 6)
    assert (first.p50_us, first.p95_us, first.response_bytes) == (8_000, 9_000, 200)
    assert empty.p50_us is None
    newest = traffic_series(engine)
    assert (newest.until - newest.since, newest.step) == (timedelta(days=1), 300)
    assert newest.until == NOW + 5 * MINUTE
    assert sum(point.requests for point in newest.points) == 41


def test_the_same_again_changes_nothing_and_less_replaces_nothing(engine: Engine) -> None:
    """Failed when rows were added up, and when a restart from older state replaced more."""
    rows = slot(NOW, 10), top(NOW, ("shop GET /a", 7, 1))
    record(engine, *rows)
    record(engine, *rows)
    record(engine, slot(NOW, 3, server_errors=0), top(NOW, ("shop GET /b", 1, 0)))
    (point,) = traffic_series(engine, since=NOW, until=NOW + MINUTE, step=60).points
    assert (point.requests, point.server_errors) == (10, 3)
    assert traffic_tops(engine).routes == (TrafficEntry("shop GET /a", 7, 1),)
    record(engine, slot(NOW, 11, server_errors=4), slot(NOW, 5))
    (point,) = traffic_series(engine, since=NOW, until=NOW + MINUTE, step=60).points
    assert (point.requests, point.server_errors) == (11, 4)


@ON_SQLITE
def test_whole_hours_come_from_hours(engine: Engine) -> None:
    record(engine, slot(NOW, 500, 3_600), slot(NOW + HOUR, 700, 3_600), slot(NOW, 1))
    long_ago = NOW - timedelta(days=40)
    found = traffic_series(engine, since=long_ago, until=NOW + 2 * HOUR)
    assert found.step == 6 * 3_600
    assert sum(point.requests for point in found.points) == 1_200


@ON_SQLITE
def test_where_minutes_are_gone_hours_are_told(engine: Engine) -> None:
    """Failed as zeros: how long ago it is was measured from the end that was asked for."""
    old = NOW - timedelta(days=20)
    record(engine, slot(NOW), slot(old, 600, 3_600), slot(old + HOUR, 700, 3_600))
    day = old + timedelta(days=1)
    found = traffic_series(engine, since=old, until=day)
    assert (found.step, sum(point.requests for point in found.points)) == (3_600, 1_300)
    with pytest.raises(TrafficRangeError, match="say a multiple of 3,600"):
        traffic_series(engine, since=old, until=day, step=900)


def test_tops_of_several_hours_add_up(engine: Engine) -> None:
    record(
        engine,
        slot(NOW),
        top(NOW, ("/a", 5, 1), ("/b", 4, 0), requests=20),
        top(NOW - HOUR, ("/b", 4, 4), requests=4),
        top(NOW, ("DE", 2, 0), kind="country"),
    )
    found = traffic_tops(engine, limit=1)
    assert found.routes == (TrafficEntry("/b", 8, 4),)
    assert (found.routed, found.placed) == (24, 2)
    assert found.countries == (TrafficEntry("DE", 2, 0),)


@ON_SQLITE
def test_services_are_those_of_the_last_days(engine: Engine) -> None:
    record(
        engine,
        slot(NOW, 1, 3_600),
        slot(NOW, 1, 3_600, service="shop"),
        slot(NOW - timedelta(days=8), 1, 3_600, service="gone"),
    )
    assert [each.service for each in traffic_services(engine)] == [None, "shop"]


def test_what_is_old_goes(engine: Engine) -> None:
    old = NOW - timedelta(days=8, hours=2)
    record(
        engine,
        *(slot(old + n * MINUTE) for n in range(3)),
        slot(NOW),
        slot(NOW, 1, 3_600),
        slot(NOW - timedelta(days=91), 1, 3_600),
        top(NOW - timedelta(days=32), ("/a", 1, 0)),
        top(NOW, ("/a", 1, 0)),
    )
    expire_traffic(engine, NOW + timedelta(days=400))
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(TrafficRow)).scalar() == 2
        assert connection.execute(select(func.count()).select_from(TrafficTopRow)).scalar() == 1


def test_who_is_erased_is_in_no_route_and_no_service(engine: Engine) -> None:
    record(
        engine,
        slot(NOW, service="svc-ada"),
        slot(NOW),
        top(NOW, ("shop GET /u/ada", 3, 0), ("shop GET /b", 2, 0)),
    )
    assert kept_about(engine, "user", ["ada"]).traffic == 1
    stones = Tombstones(b"secret")
    erased = erase_entity(engine, "user", ["ada"], tombstones=stones, now=NOW)
    assert (erased.traffic, erased.texts) == (1, 1)
    assert [each.name for each in traffic_tops(engine).routes] == [
        "shop GET /u/[erased]",
        "shop GET /b",
    ]
    assert not kept_about(engine, "user", ["ada"]).anything


@ON_SQLITE
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"since": NOW, "until": NOW}, "not before"),
        ({"since": NOW - timedelta(days=2), "until": NOW, "step": 60}, "2,880 points"),
        ({"step": 90}, "multiple of 60"),
        ({"until": datetime(9999, 12, 31, tzinfo=UTC)}, "before 9999"),
        ({"since": datetime(1, 1, 1, tzinfo=UTC)}, "from 1970"),
    ],
)
def test_what_is_no_series_is_refused(engine: Engine, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(TrafficRangeError, match=said):
        traffic_series(engine, **asked)


@ON_SQLITE
def test_nothing_stored_is_no_traffic(engine: Engine) -> None:
    assert sum(point.requests for point in traffic_series(engine).points) == 0
    assert traffic_tops(engine).routes == ()
    assert traffic_services(engine) == []
