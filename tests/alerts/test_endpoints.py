"""Endpoints in the database: absolute counts, listed with filters, and gone when they are old."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from alerts.database.models import EndpointDayRow, table_of
from alerts.deletion.erasure import erase_entity, kept_about
from alerts.recovery.checkpoint import Checkpoint
from alerts.storage.store import Store
from alerts.storage.tombstones import Tombstones
from alerts.traffic.endpoints import EndpointQuery, expire_endpoints, list_endpoints
from detectors.learned.inventory import EndpointDay

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
NOON = int(NOW.timestamp()) * 1_000_000
DAY_US = 86_400_000_000
TODAY = NOON // DAY_US


def row(template: str = "/orders/{id}", day: int = TODAY, **changes: Any) -> EndpointDay:
    ordinary: dict[str, Any] = {
        "service": "shop",
        "method": "GET",
        "template": template,
        "role": "edge",
        "day": day,
        "requests": 10,
        "answered": 7,
        "status_2xx": 7,
        "status_3xx": 0,
        "status_4xx": 2,
        "status_5xx": 1,
        "with_user": 4,
        "with_api_key": 0,
        "anonymous": 0,
        "over_http": 0,
        "over_https": 10,
        "first": NOON + (day - TODAY) * DAY_US,
        "last": NOON + (day - TODAY) * DAY_US + 1_000_000,
    }
    return EndpointDay(**(ordinary | changes))


def record(engine: Engine, *rows: EndpointDay) -> None:
    Store(engine).record(
        [], watermark=None, checkpoint=Checkpoint(2, "f", None), endpoints=list(rows)
    )


def test_an_endpoint_is_listed_with_what_is_known_of_it(engine: Engine) -> None:
    record(engine, row(standing="deprecated"))
    (found,) = list_endpoints(engine)
    assert found.to_dict() == {
        "id": found.id,
        "service": "shop",
        "method": "GET",
        "template": "/orders/{id}",
        "role": "edge",
        "requests": 10,
        "answered": 7,
        "errors": 1,
        "statuses": ["2xx", "4xx", "5xx"],
        "authentication": ["user"],
        "schemes": ["https"],
        "standing": "deprecated",
        "first_seen": "2026-11-02T12:00:00Z",
        "last_seen": "2026-11-02T12:00:01Z",
    }


def test_the_same_again_changes_nothing_and_more_is_the_greatest(engine: Engine) -> None:
    """Failed when counts were added, and when fewer replaced more (a restart from older state)."""
    record(engine, row())
    before = list_endpoints(engine)
    record(engine, row())
    record(engine, row(requests=3, answered=1, first=NOON + 500, status_4xx=0))
    assert list_endpoints(engine) == before
    record(engine, row(requests=30, answered=9, last=NOON + 9_000_000, anonymous=1, over_http=1))
    (after,) = list_endpoints(engine)
    assert (after.requests, after.answered, after.errors) == (30, 9, 1)
    assert after.last_seen == NOW + timedelta(seconds=9)
    assert after.authentication == ("none", "user")
    assert after.schemes == ("http", "https")


def test_days_add_up_and_can_be_asked_for(engine: Engine) -> None:
    record(engine, row(day=TODAY - 8), row(day=TODAY - 1), row())
    (all_days,) = list_endpoints(engine)
    assert (all_days.requests, all_days.first_seen) == (30, NOW - timedelta(days=8))
    (week,) = list_endpoints(engine, days=7)
    assert week.requests == 20
    record(engine, row("/seldom", day=TODAY - 8))
    assert [each.requests for each in list_endpoints(engine, days=1)] == [10, 0]


def test_filters(engine: Engine) -> None:
    record(
        engine,
        row(),
        row("/Admin/users", method="POST", anonymous=2, standing="undeclared"),
        row("/internal", service=None, role="internal"),
        row("/old", day=TODAY - 5, standing="deprecated"),
    )

    def templates(**asked: Any) -> set[str]:
        return {each.template for each in list_endpoints(engine, EndpointQuery(**asked))}

    assert templates(service="shop") == {"/orders/{id}", "/Admin/users", "/old"}
    assert templates(method="post") == {"/Admin/users"}
    assert templates(text="admin") == {"/Admin/users"}
    assert templates(text="%") == set()
    assert templates(role="internal") == {"/internal"}
    assert templates(standing="undeclared") == {"/Admin/users"}
    assert templates(standing="unknown") == {"/orders/{id}", "/internal"}
    assert templates(authentication="none") == {"/Admin/users"}
    assert "/old" not in templates(since=NOW - timedelta(days=1))
    assert templates(new_since=NOW - timedelta(days=6), text="old") == {"/old"}
    assert len(list_endpoints(engine, limit=2)) == 2


def test_many_at_once(engine: Engine) -> None:
    rows = [row(f"/many/{n}", day=TODAY - d) for n in range(1_200) for d in range(2)]
    record(engine, *rows)
    record(engine, *rows[::-1])
    found = list_endpoints(engine, limit=5_000)
    assert len(found) == 1_200
    assert {each.requests for each in found} == {20}


def test_hostile_text_is_made_safe(engine: Engine) -> None:
    record(engine, row("/\x1b[2J" + "x" * 2_000, service="a\x00b"))
    (found,) = list_endpoints(engine)
    assert len(found.template) <= 512
    assert json.dumps(found.to_dict()).isprintable()
    assert "\x1b" not in found.template
    assert found.service is not None
    assert found.service.isprintable()


def test_what_is_old_goes(engine: Engine) -> None:
    record(engine, row(), row(day=TODAY - 100), row("/old", day=TODAY - 100))
    assert expire_endpoints(engine, NOW, timedelta(days=90)) == 1
    (kept,) = list_endpoints(engine)
    assert (kept.template, kept.requests) == ("/orders/{id}", 10)
    assert days_of(engine) == [date(2026, 11, 2)]


def test_so_many_are_kept_the_last_seen(engine: Engine) -> None:
    record(engine, *(row(f"/{n}", last=NOON + n) for n in range(5)))
    assert expire_endpoints(engine, NOW, kept=3) == 2
    assert {each.template for each in list_endpoints(engine)} == {"/2", "/3", "/4"}
    assert len(days_of(engine)) == 3


def test_what_names_somebody_is_erased(engine: Engine) -> None:
    record(engine, row("/users/ada/orders"), row("/orders"))
    tombstones = Tombstones(b"s" * 32)
    assert kept_about(engine, "user", ["ada"]).endpoints == 1
    gone = erase_entity(engine, "user", ["ada"], tombstones=tombstones, now=NOW)
    assert gone.endpoints == 1
    assert [each.template for each in list_endpoints(engine)] == ["/orders"]
    assert len(days_of(engine)) == 1


def days_of(engine: Engine) -> list[date]:
    with engine.connect() as connection:
        return list(connection.execute(select(table_of(EndpointDayRow).c.day)).scalars())
