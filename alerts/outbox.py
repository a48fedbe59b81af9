"""The outbox: rows that say what to tell whom, written with the incidents they are about."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from alerts.models import NotificationRow, table_of
from alerts.routing import Routing
from alerts.statements import chunks, insert_or_ignore
from alerts.views import Transition


def withdraw(connection: Connection, incidents: Sequence[int]) -> None:
    """Keep what waits to be sent about incidents from being sent."""
    table = table_of(NotificationRow)
    for chunk in chunks(incidents):
        connection.execute(
            update(table)
            .where(table.c.incident_id.in_(chunk), table.c.state == "pending")
            .values(state="rolled_up")
        )


def enqueue(
    connection: Connection, transitions: Iterable[Transition], routing: Routing, now: datetime
) -> None:
    """Add an intent for every transition and target; one that is there stays as it is."""
    rows = [
        {
            "incident_id": transition.incident_id,
            "transition": transition.kind,
            "target": target,
            "route": route,
            "created_at": now,
            "state": "pending",
            "due_at": now,
        }
        for transition in transitions
        for target, route in routing.targets(transition.incident)
    ]
    table = table_of(NotificationRow)
    insert_or_ignore(connection, table, rows, ("incident_id", "transition", "target"))


def revive(connection: Connection, transitions: Iterable[Transition], now: datetime) -> None:
    """Let what was withdrawn about these transitions wait to be sent again."""
    table = table_of(NotificationRow)
    keys = [{"incident": t.incident_id, "kind": t.kind} for t in transitions]
    if not keys:
        return
    statement = (
        update(table)
        .where(
            table.c.incident_id == bindparam("incident"),
            table.c.transition == bindparam("kind"),
            table.c.state == "rolled_up",
        )
        .values(state="pending", due_at=now)
    )
    connection.execute(statement, keys)
