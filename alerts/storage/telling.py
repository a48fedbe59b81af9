"""Who is not told of what: an incident that is part of an attack by many sends nothing itself."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from alerts.database.models import IncidentRow, NotificationRow, TimelineRow, table_of
from alerts.database.statements import chunks
from alerts.incidents.views import Transition
from alerts.storage.outbox import withdraw
from alerts.storage.parents import Move
from alerts.storage.rows import stored_state, stored_view


def told(
    connection: Connection, transitions: Iterable[Transition], moves: Sequence[Move]
) -> list[Transition]:
    """Return the transitions to tell, after roll-up.

    What waits to be sent about an incident that became part of another is withdrawn. One that
    ceased to be is told as if it opened now, or if that was told before, with the severity that
    it reached meanwhile, and that it is calm if it is; of one that a person ended nothing is told.
    """
    parents = {move.id: move.now for move in moves}
    detached = [move.id for move in moves if move.now is None]
    withdraw(connection, [move.id for move in moves if move.before is None])
    rest = [
        transition
        for transition in transitions
        if parents.get(transition.incident_id, transition.incident.parent_id) is None
    ]
    returning = _returning(connection, detached)
    again = {transition.incident_id for transition in returning if transition.kind == "opened"}
    have = {(transition.incident_id, transition.kind) for transition in rest}
    return [
        *(t for t in returning if t.kind == "opened" or (t.incident_id, t.kind) not in have),
        *(t for t in rest if t.incident_id not in again or t.kind.startswith("calm:")),
    ]


def _returning(connection: Connection, detached: Sequence[int]) -> list[Transition]:
    returning: list[Transition] = []
    for chunk in chunks(detached):
        opened = set(
            connection.execute(
                select(NotificationRow.incident_id).where(
                    NotificationRow.incident_id.in_(chunk),
                    NotificationRow.transition == "opened",
                    NotificationRow.state != "rolled_up",
                )
            ).scalars()
        )
        raised = _raised(connection, chunk)
        table = table_of(IncidentRow)
        query = select(table).where(table.c.id.in_(chunk), table.c.mode == "alert")
        for row in connection.execute(query.order_by(table.c.id)).mappings():
            view = stored_view(row)
            if stored_state(row).ended_by_person:
                continue
            if view.id not in opened:
                returning.append(Transition(view.id, "opened", view))
            elif (view.id, view.severity) in raised:
                returning.append(Transition(view.id, f"severity:{view.severity}", view))
    return returning


def _raised(connection: Connection, incidents: Sequence[int]) -> set[tuple[int, str]]:
    query = select(TimelineRow.incident_id, TimelineRow.detail).where(
        TimelineRow.incident_id.in_(incidents), TimelineRow.action == "severity"
    )
    return {(identity, detail["severity"]) for identity, detail in connection.execute(query)}
