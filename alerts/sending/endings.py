"""Who ended incidents, and what they wrote with it: for those who are told of it."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from alerts.database.models import TimelineRow
from alerts.database.statements import chunks
from alerts.incidents.lifecycle import ENDED
from alerts.lists.details import COMMENTED
from alerts.messages.notices import Ending
from alerts.storage.writing import PROGRAM


def endings(connection: Connection, incidents: Sequence[int]) -> dict[int, Ending]:
    """Return how people ended incidents last; those that nobody ended are left out."""
    found: dict[int, Ending] = {}
    at = {}
    row = TimelineRow
    for chunk in chunks(incidents):
        query = (
            select(row.incident_id, row.at, row.actor, row.action, row.detail)
            .where(
                row.incident_id.in_(chunk),
                row.action.in_(("status", COMMENTED)),
                row.actor != PROGRAM,
            )
            .order_by(row.id)
        )
        for entry in connection.execute(query):
            number = entry.incident_id
            if entry.action == "status":
                if entry.detail["after"]["status"] in ENDED:
                    found[number], at[number] = Ending(entry.actor), (entry.at, entry.actor)
            elif at.get(number) == (entry.at, entry.actor):
                found[number] = Ending(entry.actor, entry.detail["text"])
    return found
