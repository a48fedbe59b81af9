"""The incident about alerts that do not arrive: people hear of it where messages still do."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Engine, select, update

from alerts.database.models import IncidentRow, table_of
from alerts.database.opening import for_writing
from alerts.incidents.lifecycle import calm
from alerts.incidents.views import IncidentView, Transition, view_of
from alerts.routing.routes import Routing
from alerts.routing.target import Target
from alerts.storage.outbox import enqueue
from alerts.storage.rows import state_values, stored_content, stored_state
from alerts.storage.store import Store
from alerts.storage.writing import write_timeline
from detectors.findings import Finding, Level

#: The name under which it is told, and its runbook.
DETECTOR: Final = "alerts_failing"

#: Messages given up that belong together.
WINDOW: Final = timedelta(hours=24)

#: Characters of an error that the incident's sentence holds.
ERROR_LENGTH: Final = 120

#: What an incident about failing alerts is, while it is not over.
_FAILING: Final = (
    IncidentRow.entity_type == "target",
    IncidentRow.status.in_(("open", "acknowledged")),
)


class Elsewhere(Routing):
    """The same routes, but nothing to one target; what that had told the fallback instead."""

    def __init__(self, routing: Routing, target: Target) -> None:
        super().__init__(routing.routes)
        self._target = target

    def targets(self, incident: IncidentView) -> list[tuple[str, str]]:
        """Return the targets to tell, without the one that fails."""
        named = dict(super().targets(incident))
        route = named.pop(self._target.name, None)
        if route is not None and self._target.fallback is not None:
            named.setdefault(self._target.fallback, route)
        return list(named.items())


class Trouble:
    """Keeps the incident about one target: begun when a message is given up, over with the next
    that arrives. Its times are those of the wall clock.
    """

    def __init__(self, engine: Engine, target: Target, routing: Routing) -> None:
        self._engine = engine
        self._target = target
        self._routing = Elsewhere(routing, target)

    def report(self, given_up: int, error: str | None, now: datetime) -> None:
        """Open the incident, or let it grow: so many messages were given up within WINDOW.

        `error` is why the last one was, in words.

        While it is open there is no calm in between: nothing arrived. Else each message given up
        would be news, to be told, and perhaps to be given up in turn.
        """
        begun = self._last_at()
        finding = Finding(
            detector=DETECTOR,
            entity_type="target",
            entity=self._target.name,
            first=now if begun is None else min(begun, now),
            last=now,
            value=given_up,
            threshold=1,
            unit="messages given up" + (f" (last error: {_brief(error)})" if error else ""),
            window=WINDOW,
            level=Level.HIGH,
        )
        Store(self._engine, now=lambda: now).record(
            [finding], watermark=None, routing=self._routing
        )

    def is_open(self) -> bool:
        """Whether people are told that this target fails."""
        return self._last_at() is not None

    def over(self, now: datetime) -> None:
        """Resolve the incident: a message arrived."""
        end_failing(self._engine, self._routing, now, IncidentRow.entity == self._target.name)

    def _last_at(self) -> datetime | None:
        """Return when it was last reported, if that is not over."""
        table = table_of(IncidentRow)
        query = select(table.c.last_at).where(*_FAILING, table.c.entity == self._target.name)
        query = query.order_by(table.c.last_at.desc())
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).scalar()


def _brief(error: str) -> str:
    return error if len(error) <= ERROR_LENGTH else error[: ERROR_LENGTH - 1] + "…"


def end_failing(
    engine: Engine, routing: Routing, now: datetime, which: ColumnElement[bool]
) -> None:
    """Resolve the open incidents about failing alerts for which `which` holds, and tell it."""
    table = table_of(IncidentRow)
    with for_writing(engine).begin() as connection:
        for row in connection.execute(select(table).where(*_FAILING, which)).mappings().all():
            state, step = calm(stored_state(row), row["last_at"])
            connection.execute(
                update(table)
                .where(table.c.id == row["id"])
                .values(version=row["version"] + 1, **state_values(state))
            )
            write_timeline(connection, [(row["id"], replace(step, at=now))])
            view = view_of(row["id"], stored_content(row), state)
            ended = Transition(row["id"], step.transition or "calm", view)
            enqueue(connection, [ended], routing, now)
