"""A storm: 10,000 incidents within a minute, three targets, one of them dead. See also
bench/notifications.py, which measures it with threads and a real receiver.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event, func, select

from alerts.database.models import DeliveryRow, NotificationRow
from alerts.sending.lane import UNDER_WAY_LIMIT
from alerts.sending.survey import PAGE
from alerts.transports.memory import MemoryTransport
from alerts.transports.outcome import Outcome
from tests.alerts.sending import MINUTE, SECOND, Office, finding, rows, target

INCIDENTS: Final = 10_000
STEPS: Final = 12
CAP: Final = 20

#: Rows that one transaction of the sender may change, and that one statement may name.
ROWS_AT_ONCE: Final = 2 * max(PAGE, 250)

#: What is counted here is the sender's own; SQLite, with one writer at a time, is the stricter.
ON_SQLITE: Final = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

DOWN: Final = Outcome(delivered=False, error="connection refused")


class Watch:
    """Sees the sender's statements: none is open while a message is on its way, none is large."""

    def __init__(self, engine: Engine) -> None:
        self.largest = 0
        self.messages = 0
        self._writing: set[int] = set()
        self.on = False
        event.listen(engine, "begin", lambda connection: self._writing.add(id(connection)))
        event.listen(engine, "commit", lambda connection: self._writing.discard(id(connection)))
        event.listen(engine, "rollback", lambda connection: self._writing.discard(id(connection)))
        event.listen(engine, "before_cursor_execute", self._statement)

    def during(self, _message: object) -> None:
        assert not self._writing, "a transaction is open while the network is talked to"
        self.messages += 1

    def _statement(
        self, _connection: Any, _cursor: Any, _text: str, parameters: Any, *_rest: Any
    ) -> None:
        if self.on:
            self.largest = max(self.largest, len(parameters))


@pytest.fixture
def office(engine: Engine) -> Office:
    return Office(
        engine,
        *(target(name, max_messages=CAP, per=10 * MINUTE) for name in ("dead", "one", "two")),
    )


@ON_SQLITE
def test_a_storm_keeps_everybody_s_peace(office: Office) -> None:
    watch = Watch(office.engine)
    sent_at: dict[str, list[datetime]] = {"one": [], "two": []}
    for name, times in sent_at.items():
        note = _noting(times, office, watch)
        office.transports[name] = MemoryTransport(during=note)
    office.transports["dead"] = MemoryTransport(always=DOWN, during=watch.during)
    office.restart()
    for step in range(STEPS):
        first, last = step * INCIDENTS // STEPS, (step + 1) * INCIDENTS // STEPS
        office.record(*(finding(office.now, entity=f"u{number}") for number in range(first, last)))
        watch.on = True
        office.run(5 * SECOND)
        watch.on = False
    watch.on = True
    for _ in range(4):
        office.run(30 * SECOND)
    _everybody_living_was_told(office, sent_at)
    _the_dead_one_s_rows_wait(office)
    assert watch.messages > 0
    assert watch.largest <= ROWS_AT_ONCE + 10, "bounded batches: memory does not grow with rows"


def _everybody_living_was_told(office: Office, sent_at: dict[str, list[datetime]]) -> None:
    for name, times in sent_at.items():
        assert 0 < len(times) <= CAP
        for at in times:
            assert sum(at - 10 * MINUTE < other <= at for other in times) <= CAP
        messages = office.transports[name].messages
        assert sum(message.notice.incidents for message in messages) == INCIDENTS
        assert len({message.notice.mark for message in messages}) == len(messages)
        assert all(len(message.notice.items) <= 50 for message in messages)
        assert all(len(message.body) < 40_000 for message in messages)
    states = _states(office.engine)
    assert states["one"] == states["two"] == {"sent": INCIDENTS}


def _the_dead_one_s_rows_wait(office: Office) -> None:
    states = _states(office.engine)["dead"]
    assert set(states) <= {"pending", "bundled"}
    assert sum(states.values()) == INCIDENTS
    deliveries = [row for row in rows(office.engine, DeliveryRow) if row.target == "dead"]
    assert 0 < len(deliveries) <= UNDER_WAY_LIMIT


def _states(engine: Engine) -> dict[str, dict[str, int]]:
    query = select(NotificationRow.target, NotificationRow.state, func.count()).group_by(
        NotificationRow.target, NotificationRow.state
    )
    found: dict[str, dict[str, int]] = {}
    with engine.connect() as connection:
        for name, state, count in connection.execute(query):
            found.setdefault(name, {})[state] = count
    return found


def _noting(times: list[datetime], office: Office, watch: Watch) -> Callable[[object], None]:
    def note(message: object) -> None:
        watch.during(message)
        times.append(office.now)

    return note
