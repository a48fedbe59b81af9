"""The outbox in numbers, on both databases."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, func, insert, select, update

from alerts.database.models import DeliveryRow, NotificationRow, table_of
from alerts.routing.routes import Routing
from alerts.sending.backlog import Backlog, backlogs
from alerts.storage.store import Store
from detectors.findings import Finding, Level

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def finding(entity: str) -> Finding:
    return Finding(
        "recon", "client", entity, NOW, NOW, 43, 10, "distinct paths", 2 * MINUTE, Level.HIGH
    )


def delivery(target: str, state: str, due: datetime) -> dict[str, object]:
    return {
        "target": target,
        "group_key": "g",
        "idempotency_key": f"{target}-{state}",
        "digest": False,
        "title": "t",
        "created_at": NOW,
        "state": state,
        "attempts": 1,
        "next_attempt_at": due,
    }


def test_nothing_waits_at_first(engine: Engine) -> None:
    assert backlogs(engine) == {}
    assert Backlog().overdue(NOW) == timedelta(0)


def test_what_waits_is_counted_by_target(engine: Engine) -> None:
    """Failed when what was sent counted, the newest was taken, or messages were never due."""
    for minutes, entity in enumerate(("10.0.0.1", "10.0.0.2", "10.0.0.3")):
        store = Store(engine, now=lambda late=minutes: NOW + late * MINUTE)  # type: ignore[misc]
        store.record([finding(entity)], watermark=None, routing=Routing.everything_to("mail"))
    table = table_of(NotificationRow)
    newest = select(func.max(table.c.due_at)).scalar_subquery()
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.due_at == newest).values(state="sent"))
        rows = [
            delivery("mail", "sent", NOW - 9 * MINUTE),
            delivery("mail-2", "sent", NOW - 9 * MINUTE),
            delivery("chat", "pending", NOW - 4 * MINUTE),
            delivery("mail", "pending", NOW + 5 * MINUTE),
            delivery("pager", "dead", NOW - 9 * MINUTE),
        ]
        connection.execute(insert(table_of(DeliveryRow)), rows)
    found = backlogs(engine)
    assert found == {
        "mail": Backlog(waiting=2, oldest_due=NOW, under_way=1, dead=0),
        "pager": Backlog(dead=1),
        "chat": Backlog(oldest_due=NOW - 4 * MINUTE, under_way=1),
    }
    assert found["mail"].overdue(NOW + 3 * MINUTE) == 3 * MINUTE
    assert found["mail"].overdue(NOW - MINUTE) == timedelta(0)
