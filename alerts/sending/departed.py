"""Targets that are no longer in the settings: what is left of them in the database is ended.

Nobody sends to them any more, so their news would wait for ever; nor would anything end the
incidents about alerts that they did not take.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, select, update

from alerts.database.models import DeliveryRow, IncidentRow, NotificationRow, table_of
from alerts.database.opening import for_writing
from alerts.routing.routes import Routing
from alerts.sending.failing import end_failing

WHY: Final = "the target is no longer in the settings"

#: How often to look: what is over is told to whoever heard of it, so rows may come later.
_EVERY: Final = timedelta(hours=1)

#: Rows that one transaction changes.
_PAGE: Final = 1_000

_rows: Final = table_of(NotificationRow)
_sent: Final = table_of(DeliveryRow)


class Departed:
    """Ends what is left of all targets but the known ones."""

    def __init__(self, engine: Engine, known: Collection[str], routing: Routing) -> None:
        self._engine = engine
        self._known = list(known)
        self._routing = routing
        self._next: datetime | None = None

    def round(self, clock: Callable[[], datetime]) -> int:
        """Do it if it is time; returns 0, the number of messages delivered."""
        now = clock()
        if self._next is None or now >= self._next:
            end_failing(self._engine, self._routing, now, IncidentRow.entity.not_in(self._known))
            self._give_up(now)
            self._suppress()
            self._next = now + _EVERY
        return 0

    def _give_up(self, now: datetime) -> None:
        """Messages that were tried, or about to be, are dead; `notify retry` can revive them."""
        wanted = select(_sent.c.id).where(
            _sent.c.state == "pending", _sent.c.target.not_in(self._known)
        )
        dead = {"state": "dead", "last_error": WHY, "next_attempt_at": now}
        found = True
        while found:
            with for_writing(self._engine).begin() as connection:
                page = connection.execute(wanted.limit(_PAGE)).scalars().all()
                connection.execute(update(_sent).where(_sent.c.id.in_(page)).values(dead))
                connection.execute(
                    update(_rows)
                    .where(_rows.c.delivery_id.in_(page), _rows.c.state == "bundled")
                    .values(state="dead")
                )
            found = len(page) == _PAGE

    def _suppress(self) -> None:
        wanted = select(_rows.c.id).where(
            _rows.c.state == "pending", _rows.c.target.not_in(self._known)
        )
        found = True
        while found:
            with for_writing(self._engine).begin() as connection:
                page = connection.execute(wanted.limit(_PAGE)).scalars().all()
                connection.execute(
                    update(_rows).where(_rows.c.id.in_(page)).values(state="suppressed", reason=WHY)
                )
            found = len(page) == _PAGE
