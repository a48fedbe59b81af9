"""What the wall clock brings: reminders of incidents that stay open, and escalation.

Both are notifications like others. Each may be made twice without harm: the second time it is
there already.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, RowMapping, select

from alerts.database.models import DeliveryRow, IncidentRow, NotificationRow, table_of
from alerts.database.opening import for_writing
from alerts.database.statements import insert_or_ignore
from alerts.muting.judging import ENDINGS, MERGED
from alerts.routing.routes import Routing

#: Incidents that are looked at together.
_PAGE: Final = 500

#: Kinds that say that an incident is there, or there again.
_BEGINNINGS: Final = frozenset({"opened", "returned"})

#: How long after its last event an alert may still be kept by its receiver.
_KEPT: Final = timedelta(days=2)

#: States of notifications that somebody was told, or should have been.
_MEANT: Final = frozenset({"sent", "dead", "bundled"})

_rows: Final = table_of(NotificationRow)
_sent: Final = table_of(DeliveryRow)
_incidents: Final = table_of(IncidentRow)


class Timers:
    """Repeats to one target, and escalations to it."""

    def __init__(
        self, engine: Engine, target: str, routing: Routing, *, keeps_alerts: bool = False
    ) -> None:
        """With `keeps_alerts` the target is told also of what became part of another incident."""
        self._reading = engine
        self._target = target
        self._keeps_alerts = keeps_alerts
        self._repeats = {
            route.name: route.repeat_interval for route in routing.routes if route.repeat_interval
        }
        self._escalations = {
            route.name: route.escalate_after
            for route in routing.routes
            if route.escalate_after is not None and target in route.escalate_to
        }

    @property
    def interval(self) -> timedelta | None:
        """How often to look; None if there is nothing to look for."""
        spans = [*self._repeats.values(), *self._escalations.values()]
        if self._keeps_alerts:
            spans.append(_KEPT)
        if not spans:
            return None
        return min(max(min(spans) / 20, timedelta(seconds=1)), timedelta(minutes=1))

    def run(self, now: datetime) -> int:
        """Add the notifications that are due; return how many."""
        added = self._merged(now) if self._keeps_alerts else 0
        if not self._repeats and not self._escalations:
            return added
        for incidents in self._open_incidents():
            rows = self._rows(list(incidents))
            new = [
                values
                for incident, decided_at in incidents.items()
                for values in (
                    *self._repeat(rows[incident], now),
                    *self._escalate(rows[incident], decided_at, now),
                )
            ]
            if new:
                with for_writing(self._reading).begin() as connection:
                    insert_or_ignore(
                        connection, _rows, new, ("incident_id", "transition", "target")
                    )
            added += len(new)
        return added

    def _merged(self, now: datetime) -> int:
        """Add the ends of alerts whose incidents became part of others; return how many."""
        ended = _rows.alias()
        query = (
            select(_rows.c.incident_id, _rows.c.route)
            .join(_incidents, _incidents.c.id == _rows.c.incident_id)
            .where(
                _incidents.c.last_at >= now - _KEPT,
                _incidents.c.merged_into.is_not(None),
                _rows.c.target == self._target,
                _rows.c.state == "sent",
                ~select(ended.c.id)
                .where(
                    ended.c.incident_id == _rows.c.incident_id,
                    ended.c.target == self._target,
                    ended.c.transition == MERGED,
                )
                .exists(),
            )
            .order_by(_rows.c.id)
        )
        with self._reading.connect() as connection:
            routes = {row["incident_id"]: row for row in connection.execute(query).mappings()}
        new = [self._values(row, MERGED, now) for row in routes.values()]
        if new:
            with for_writing(self._reading).begin() as connection:
                insert_or_ignore(connection, _rows, new, ("incident_id", "transition", "target"))
        return len(new)

    def _open_incidents(self) -> Iterator[dict[int, datetime | None]]:
        """Yield the incidents that are open, with when a person said so, if one did."""
        columns = _incidents.c
        query = select(columns.id, columns.decided_at).where(
            columns.status == "open", columns.merged_into.is_(None), columns.parent_id.is_(None)
        )
        last = 0
        while True:
            page = query.where(columns.id > last).order_by(columns.id).limit(_PAGE)
            with self._reading.connect() as connection:
                found = connection.execute(page).all()
            if not found:
                return
            yield {row.id: row.decided_at for row in found}
            last = found[-1].id

    def _rows(self, incidents: Sequence[int]) -> dict[int, list[RowMapping]]:
        query = (
            select(_rows, _sent.c.sent_at)
            .outerjoin(_sent, _sent.c.id == _rows.c.delivery_id)
            .where(_rows.c.incident_id.in_(incidents))
            .order_by(_rows.c.id)
        )
        found: dict[int, list[RowMapping]] = defaultdict(list)
        with self._reading.connect() as connection:
            for row in connection.execute(query).mappings():
                found[row["incident_id"]].append(row)
        return found

    def _repeat(self, rows: Sequence[RowMapping], now: datetime) -> Iterator[dict[str, Any]]:
        """Give a reminder if the target was told, nothing waits, and the interval is over."""
        own = [row for row in rows if row["target"] == self._target]
        sent = [row for row in own if row["state"] == "sent"]
        if not sent or any(row["state"] in {"pending", "bundled"} for row in own):
            return
        last = max(sent, key=lambda row: (_told_at(row), row["id"]))
        interval = self._repeats.get(last["route"])
        if interval is None or _kind(last) in ENDINGS:
            return
        repeats = [row["created_at"] for row in own if _kind(row) == "repeat"]
        if max([_told_at(last), *repeats]) > now - interval:
            return
        number = 1 + len(repeats)
        yield self._values(last, f"repeat:{number}", now)

    def _escalate(
        self, rows: Sequence[RowMapping], decided_at: datetime | None, now: datetime
    ) -> Iterator[dict[str, Any]]:
        """Give an escalation if somebody was told long ago, and there was none.

        The time counts from the last telling that it opened or returned, or from when a person
        opened it again. One that was not sent, as somebody had acknowledged it, counts no more
        after that.
        """
        own = [row for row in rows if row["target"] == self._target and _kind(row) == "escalated"]
        meant = [
            row for row in rows if row["route"] in self._escalations and row["state"] in _MEANT
        ]
        if not meant or any(row["state"] != "suppressed" for row in own):
            return
        begun = max(
            [row for row in meant if _kind(row) in _BEGINNINGS] or meant[:1],
            key=lambda row: (row["created_at"], row["id"]),
        )
        since = max(begun["created_at"], decided_at or begun["created_at"])
        if any(row["created_at"] >= since for row in own):
            return
        if since <= now - self._escalations[begun["route"]]:
            yield self._values(begun, f"escalated:{1 + len(own)}", now)

    def _values(self, row: RowMapping, transition: str, now: datetime) -> dict[str, Any]:
        return {
            "incident_id": row["incident_id"],
            "transition": transition,
            "target": self._target,
            "route": row["route"],
            "created_at": now,
            "state": "pending",
            "due_at": now,
        }


def _told_at(row: RowMapping) -> datetime:
    """Return when a notification was sent; when it was made, if its delivery is pruned."""
    at: datetime = row["sent_at"] or row["created_at"]
    return at


def _kind(row: RowMapping) -> str:
    return str(row["transition"]).partition(":")[0]
