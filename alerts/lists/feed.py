"""What happened to incidents, in order: the lines of all timelines by their numbers.

Writers go one after the other (`alerts.database.opening`), so that no line comes to be seen behind
one of a greater number: who has seen up to a number has seen all before it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine, func, select

from alerts.database.models import IncidentRow, TimelineRow, table_of
from alerts.incidents.views import IncidentView, json_ready
from alerts.storage.rows import stored_view

#: Lines that one look returns at most.
LIMIT: Final = 500

_LINES: Final = table_of(TimelineRow)
_INCIDENTS: Final = table_of(IncidentRow)


@dataclass(frozen=True, slots=True)
class News:
    """Line `id`: who did what to an incident when, and how the incident is now."""

    id: int
    at: datetime
    actor: str
    action: str
    incident: IncidentView

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        plain = {"id": self.id, "at": self.at, "actor": self.actor, "action": self.action}
        shown = {name: json_ready(value) for name, value in plain.items()}
        incident = asdict(self.incident) | {"members": ()}
        return {**shown, "incident": {name: json_ready(value) for name, value in incident.items()}}


def newest_line(engine: Engine) -> int:
    """Return the number of the newest line, 0 if there is none."""
    with engine.connect() as connection:
        return connection.execute(select(func.max(_LINES.c.id))).scalar() or 0


def news_after(engine: Engine, line: int, limit: int = LIMIT) -> Sequence[News]:
    """Return the first lines of greater numbers, in their order."""
    query = (
        select(_LINES.c.id, _LINES.c.at, _LINES.c.actor, _LINES.c.action, _LINES.c.incident_id)
        .where(_LINES.c.id > line)
        .order_by(_LINES.c.id)
        .limit(limit)
    )
    with engine.connect() as connection:
        lines = connection.execute(query).all()
        numbers = sorted({row.incident_id for row in lines})
        found = select(_INCIDENTS).where(_INCIDENTS.c.id.in_(numbers))
        views = {row["id"]: stored_view(row) for row in connection.execute(found).mappings()}
    return [
        News(row.id, row.at, row.actor, row.action, views[row.incident_id])
        for row in lines
        if row.incident_id in views  # else it was erased between the two looks
    ]
