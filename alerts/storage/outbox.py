"""The outbox: rows that say what to tell whom, written with the incidents they are about."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from alerts.database.models import NotificationRow, table_of
from alerts.database.statements import chunks, insert_or_ignore
from alerts.incidents.views import Transition
from alerts.routing.routes import Routing

#: Kinds of transitions that concern whoever heard of the incident, whatever routes say now.
_TO_ALL: Final = frozenset({"calm", "resolved", "returned"})

#: States of notifications that were told, or may be yet.
_HEARD: Final = ("sent", "bundled", "pending")


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
    """Add an intent for every transition and target; one that is there stays as it is.

    That an incident is over, or back, concerns also those whom escalation or a target that failed
    made hear of it.
    """
    transitions = list(transitions)
    involved = _involved(connection, [t.incident_id for t in transitions if _concerns_all(t)])
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
        for target, route in {
            **(involved[transition.incident_id] if _concerns_all(transition) else {}),
            **dict(routing.targets(transition.incident)),
        }.items()
    ]
    table = table_of(NotificationRow)
    insert_or_ignore(connection, table, rows, ("incident_id", "transition", "target"))


def _concerns_all(transition: Transition) -> bool:
    return transition.kind.partition(":")[0] in _TO_ALL


def _involved(connection: Connection, incidents: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return the targets that incidents were to be told to, with the routes."""
    columns = table_of(NotificationRow).c
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for chunk in chunks(incidents):
        query = select(columns.incident_id, columns.target, columns.route)
        query = query.where(columns.incident_id.in_(chunk), columns.state.in_(_HEARD))
        for incident, target, route in connection.execute(query):
            found[incident].setdefault(target, route)
    return found


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
