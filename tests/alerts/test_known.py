"""Input that is read again: what ended before was found before."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, select

from alerts.database.models import IncidentRow, NotificationRow
from alerts.routing.routes import Routing
from alerts.storage.store import Store
from detectors.findings import Finding, Level

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KNOWN = START + 60 * MINUTE
ROUTING = Routing.everything_to("ops")


def finding(minute: int, entity: str = "a", **changes: Any) -> Finding:
    at = START + minute * MINUTE
    values: dict[str, Any] = {
        "detector": "recon",
        "entity_type": "client",
        "entity": entity,
        "first": at,
        "last": at,
        "value": 20,
        "threshold": 10,
        "unit": "paths",
        "window": MINUTE,
        "level": Level.MEDIUM,
    }
    return Finding(**{**values, **changes})


def incidents(engine: Engine) -> list[tuple[Any, ...]]:
    query = select(IncidentRow.entity, IncidentRow.severity, IncidentRow.last_at)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def notices(engine: Engine) -> int:
    with engine.connect() as connection:
        found: int = connection.execute(
            select(func.count()).select_from(NotificationRow)
        ).scalar_one()
    return found


def test_what_ended_before_makes_no_incident(engine: Engine) -> None:
    """Failed when `record` kept plans without an elder that ended before."""
    store = Store(engine)
    told = store.record(
        [finding(10), finding(59, "b"), finding(60, "c")],
        watermark=None,
        routing=ROUTING,
        known_until=KNOWN,
    )
    assert [transition.incident.entity for transition in told] == ["c"]
    assert [entity for entity, _, _ in incidents(engine)] == ["c"]
    assert notices(engine) == 1


def test_what_ended_before_makes_incidents_grow_and_tells_nobody(engine: Engine) -> None:
    """Failed when the transitions of incidents that ended before were not left out."""
    store = Store(engine)
    assert store.record([finding(10)], watermark=None, routing=ROUTING)
    severer = finding(12, level=Level.CRITICAL)
    assert store.record([severer], watermark=None, routing=ROUTING, known_until=KNOWN) == []
    assert incidents(engine) == [("a", Level.CRITICAL, severer.last)]
    assert notices(engine) == 1


def test_what_goes_on_is_told_as_ever(engine: Engine) -> None:
    store = Store(engine)
    assert store.record([finding(50)], watermark=None, routing=ROUTING)
    going_on = finding(50, last=KNOWN, level=Level.CRITICAL)
    assert store.record([going_on], watermark=None, routing=ROUTING, known_until=KNOWN)
    assert notices(engine) == 2
