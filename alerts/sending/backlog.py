"""What waits to be told, what was given up, what is open: numbers for people who watch."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, func, select

from alerts.database.models import DeliveryRow, IncidentRow, NotificationRow, table_of
from detectors.findings import Level

#: Open incidents that are counted: a flood must not make the question slow.
OPEN_CAP: Final = 10_000

_incidents: Final = table_of(IncidentRow)
_rows: Final = table_of(NotificationRow)
_sent: Final = table_of(DeliveryRow)


@dataclass(frozen=True, slots=True)
class Backlog:
    """The outbox of one target.

    `waiting` counts notifications that were not sent yet, `oldest_due` is when the first of those
    should have been looked at; None if none is due. `under_way` counts messages that are being
    tried, `dead` those given up and kept.
    """

    waiting: int = 0
    oldest_due: datetime | None = None
    under_way: int = 0
    dead: int = 0

    def overdue(self, now: datetime) -> timedelta:
        """Return how long the oldest row that is due has waited."""
        late = timedelta(0) if self.oldest_due is None else now - self.oldest_due
        return max(late, timedelta(0))


def open_by_severity(engine: Engine) -> dict[str, int]:
    """Return how many incidents are open, alert and stand alone, by severity's name.

    All severities are there. Of more than OPEN_CAP only the last active ones are counted.
    """
    open_ones = (
        select(_incidents.c.severity, _incidents.c.mode)
        .where(
            _incidents.c.status == "open",
            _incidents.c.merged_into.is_(None),
            _incidents.c.parent_id.is_(None),
        )
        .order_by(_incidents.c.last_at.desc(), _incidents.c.id.desc())
        .limit(OPEN_CAP)
        .subquery()
    )
    counted = (
        select(open_ones.c.severity, func.count().label("number"))
        .where(open_ones.c.mode == "alert")
        .group_by(open_ones.c.severity)
    )
    with engine.connect() as connection:
        found = {row.severity: row.number for row in connection.execute(counted)}
    return {level.label: found.get(level.value, 0) for level in Level}


def backlogs(engine: Engine) -> dict[str, Backlog]:
    """Return the outbox of each target that has one, by name."""
    waiting = (
        select(_rows.c.target, func.count(), func.min(_rows.c.due_at))
        .where(_rows.c.state == "pending")
        .group_by(_rows.c.target)
    )
    messages = (
        select(_sent.c.target, _sent.c.state, func.count(), func.min(_sent.c.next_attempt_at))
        .where(_sent.c.state.in_(("pending", "dead")))
        .group_by(_sent.c.target, _sent.c.state)
    )
    with engine.connect() as connection:
        rows = {name: (count, due) for name, count, due in connection.execute(waiting)}
        tried: dict[str, dict[str, tuple[int, datetime]]] = {}
        for name, state, count, due in connection.execute(messages):
            tried.setdefault(name, {})[state] = count, due
    return {name: _backlog(rows.get(name), tried.get(name, {})) for name in {**rows, **tried}}


def _backlog(
    rows: tuple[int, datetime] | None, messages: dict[str, tuple[int, datetime]]
) -> Backlog:
    under_way, dead = messages.get("pending"), messages.get("dead")
    due = [found[1] for found in (rows, under_way) if found is not None]
    return Backlog(
        waiting=rows[0] if rows else 0,
        oldest_due=min(due, default=None),
        under_way=under_way[0] if under_way else 0,
        dead=dead[0] if dead else 0,
    )
