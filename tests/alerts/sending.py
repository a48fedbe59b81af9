"""A sender that can end at any statement, its receivers, and what must hold in the end."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.engine.interfaces import DBAPIConnection

from alerts.database.models import (
    DeliveryAttemptRow,
    DeliveryRow,
    IncidentRow,
    Model,
    NotificationRow,
    table_of,
)
from alerts.messages import Message
from alerts.routing.routes import Route, Routing
from alerts.routing.target import Target
from alerts.sending.sender import Sender
from alerts.storage.store import Store
from alerts.transports.memory import MemoryTransport
from alerts.transports.outcome import Outcome
from detectors.findings import Finding, Level

NOW: Final = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)

#: What a receiver does with a message: takes it, is down, wants no more of it, or the program ends
#: before or after the receiver has it.
Answer = Literal["taken", "down", "refused", "ends before", "ends after"]

OUTCOMES: Final[dict[Answer, Outcome]] = {
    "taken": Outcome(delivered=True),
    "down": Outcome(delivered=False, error="connection refused"),
    "refused": Outcome(delivered=False, error="answered HTTP 400", permanent=True),
    "ends before": Outcome(delivered=True),
    "ends after": Outcome(delivered=True),
}


class Death(BaseException):
    """The program ends here."""


def target(name: str, **changes: Any) -> Target:
    return Target(name, SecretStr(f"json://127.0.0.1/{name}"), **changes)


def finding(
    at: datetime = NOW, level: Level = Level.MEDIUM, entity: str = "203.0.113.7", **changes: Any
) -> Finding:
    values: dict[str, Any] = {
        "detector": "recon",
        "entity_type": "user",
        "entity": entity,
        "first": at,
        "last": at + SECOND,
        "value": 43,
        "threshold": 10,
        "unit": "distinct missing paths",
        "window": 2 * MINUTE,
        "level": level,
    }
    return Finding(**{**values, **changes})


def rows(engine: Engine, model: type[Model]) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(table_of(model)).order_by("id")).all())


def states(engine: Engine) -> dict[str, list[str]]:
    """Return the states of notifications, "transition: state (reason)", by target."""
    told: dict[str, list[str]] = defaultdict(list)
    for row in rows(engine, NotificationRow):
        why = f" ({row.reason})" if row.reason else ""
        told[row.target].append(f"{row.transition}: {row.state}{why}")
    return dict(told)


def items(message: Message) -> list[tuple[int, tuple[str, ...]]]:
    """Return what a message is about: incidents with their transitions."""
    return [(item.incident.id, item.transitions) for item in message.notice.items]


class Office:
    """One database, targets with receivers in memory, and a clock that is moved by hand."""

    def __init__(
        self, engine: Engine, *targets: Target, routing: Routing | None = None, **options: Any
    ) -> None:
        self.engine = engine
        self.targets = targets
        self.routing = routing or Routing.everything_to(*(target.name for target in targets))
        self.transports = {target.name: MemoryTransport() for target in targets}
        self.now = NOW
        self._options = options
        self.restart()

    def restart(self) -> None:
        """Begin as a new process does: with nothing but the database."""
        self.sender = Sender(
            self.engine,
            self.targets,
            routing=self.routing,
            transports=lambda target: self.transports[target.name],
            **self._options,
        )

    def record(self, *findings: Finding, watermark: datetime | None = None) -> None:
        store = Store(self.engine, now=lambda: self.now)
        store.record(findings, watermark=watermark, routing=self.routing)

    def run(self, after: timedelta = timedelta(0)) -> int:
        """Let time pass, then send once."""
        self.now += after
        return self.sender.run_once(self.now)

    def told(self, name: str) -> list[list[tuple[int, tuple[str, ...]]]]:
        """Return what came to a target since this was asked last."""
        messages = self.transports[name].messages
        came = [items(message) for message in messages]
        messages.clear()
        return came


def one_route(*targets: str, **changes: Any) -> Routing:
    return Routing([Route("all", targets, **changes)])


class Fuse:
    """Ends the program at the n-th statement or commit from now; knows what was cut short.

    Statements that only read do not count: an end there is one before the next that writes.
    """

    def __init__(self) -> None:
        self.left: int | None = None
        self.count = 0
        self.interrupted = 0
        self._staged: Literal["begin", "end"] | None = None
        self._in_flight = False

    @contextmanager
    def watching(self, engine: Engine) -> Iterator[None]:
        event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(engine, "commit", self._commit)
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", self._statement)
            event.remove(engine, "commit", self._commit)

    def died(self) -> None:
        """Note that the program ended."""
        self.interrupted += self._in_flight
        self._in_flight, self._staged, self.left = False, None, None

    def _statement(
        self, _connection: Connection, _cursor: Any, statement: str, *_rest: object
    ) -> None:
        if statement.startswith("SELECT"):
            return
        self._step()
        if statement.startswith("INSERT INTO delivery_attempts"):
            self._staged = "begin"
        elif statement.startswith("UPDATE delivery_attempts"):
            self._staged = "end"

    def _commit(self, _connection: Connection) -> None:
        self._step()
        if self._staged is not None:
            self._in_flight = self._staged == "begin"
            self._staged = None

    def _step(self) -> None:
        self.count += 1
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                raise Death


@dataclass
class Receiver:
    """What came to one target, whatever became of the program meanwhile."""

    answer: Answer = "taken"
    came: list[Message] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)

    def deliver(self, message: Message) -> Outcome:
        self.tries[message.notice.mark] += 1
        if self.answer == "ends before":
            self.answer = "taken"
            raise Death
        outcome = OUTCOMES[self.answer]
        if outcome.delivered:
            self.came.append(message)
        if self.answer == "ends after":
            self.answer = "taken"
            raise Death
        return outcome


class Trial:
    """A sender that ends again and again. Target a falls back on b, c has nobody."""

    TARGETS: Final = (target("a", fallback="b"), target("b"), target("c", max_messages=4))

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        _hurry(engine)
        self.fuse = Fuse()
        self.receivers = {target.name: Receiver() for target in self.TARGETS}
        self.routing = Routing(
            [Route("all", ("a", "c"), group_wait=timedelta(seconds=2), repeat_interval=2 * MINUTE)]
        )
        self.now = NOW
        self._restart()

    def _restart(self) -> None:
        self.sender = Sender(
            self.engine,
            self.TARGETS,
            routing=self.routing,
            transports=lambda target: self.receivers[target.name],
        )

    def record(self, *findings: Finding, calm: bool = False) -> None:
        store = Store(self.engine, now=lambda: self.now)
        watermark = self.now if calm else None
        store.record(findings, watermark=watermark, routing=self.routing)

    def run(self, ends_at: int | None = None) -> bool:
        """Send once; return whether the program ended in its midst."""
        self.fuse.left = ends_at
        try:
            with self.fuse.watching(self.engine):
                self.sender.run_once(self.now)
        except Death:
            self.fuse.died()
            self._restart()
            return True
        self.fuse.left = None
        return False

    def finish(self) -> None:
        """Let everything work again, and time pass, until nothing waits."""
        for receiver in self.receivers.values():
            receiver.answer = "taken"
        self.routing = Routing.everything_to("a", "c")
        self._restart()
        for _ in range(60):
            self.run()
            if not self._waiting():
                return
            self.now += 3 * MINUTE
        raise AssertionError(f"still waiting: {states(self.engine)}")

    def _waiting(self) -> bool:
        return any(
            row.state in {"pending", "bundled"} for row in rows(self.engine, NotificationRow)
        ) or any(row.state == "pending" for row in rows(self.engine, DeliveryRow))

    def check(self) -> None:
        """Whatever happened: told at least once, by one mark, and the history is right."""
        deliveries = {row.id: row for row in rows(self.engine, DeliveryRow)}
        arrivals = self._arrivals()
        notifications = rows(self.engine, NotificationRow)
        for row in notifications:
            delivery = deliveries.get(row.delivery_id)
            if row.state == "sent":
                assert delivery is not None
                assert delivery.state == "sent"
                told = arrivals[row.target, delivery.idempotency_key]
                assert told, "at least once"
                assert all(row.transition in about.get(row.incident_id, ()) for about in told)
            elif row.state == "dead":
                assert delivery is not None
                assert delivery.state == "dead"
                assert delivery.last_error
            else:
                assert row.state == "suppressed"
                assert row.reason
        for told in arrivals.values():
            assert all(about == told[0] for about in told), "a repeat is about the same incidents"
        self._check_history(deliveries)
        self._check_what_died(notifications)

    def _arrivals(self) -> dict[tuple[str, str], list[dict[int, tuple[str, ...]]]]:
        arrivals: dict[tuple[str, str], list[dict[int, tuple[str, ...]]]] = defaultdict(list)
        for name, receiver in self.receivers.items():
            for message in receiver.came:
                arrivals[name, message.notice.mark].append(dict(items(message)))
        return arrivals

    def _check_history(self, deliveries: dict[int, Any]) -> None:
        attempts: dict[int, list[Any]] = defaultdict(list)
        for row in rows(self.engine, DeliveryAttemptRow):
            attempts[row.delivery_id].append(row)
        for identity, delivery in deliveries.items():
            tried: Sequence[Any] = attempts[identity]
            assert [row.number for row in tried] == list(range(1, len(tried) + 1))
            assert delivery.attempts == len(tried)
            made = self.receivers[delivery.target].tries[delivery.idempotency_key]
            ended = sum(row.ended_at is not None for row in tried)
            assert ended <= made <= len(tried), "counted before it is made"
            assert (delivery.sent_at is not None) == (delivery.state == "sent")
            sent = [row.number for row in tried if row.outcome == "sent"]
            assert sent == ([len(tried)] if delivery.state == "sent" else [])
            assert all((row.ended_at is None) == (row.outcome is None) for row in tried)
            assert all((row.error is not None) == (row.outcome == "failed") for row in tried)
        endless = [row for tried in attempts.values() for row in tried if row.ended_at is None]
        assert len(endless) == self.fuse.interrupted

    def _check_what_died(self, notifications: Sequence[Any]) -> None:
        dead = [row for row in notifications if row.state == "dead"]
        passed = {(row.incident_id, row.transition) for row in notifications if row.target == "b"}
        assert {(row.incident_id, row.transition) for row in dead if row.target == "a"} <= passed
        failing = {
            row.entity for row in rows(self.engine, IncidentRow) if row.entity_type == "target"
        }
        assert {row.target for row in dead} <= failing
        told = [row for row in notifications if row.target in failing]
        about = {row.id: row.entity for row in rows(self.engine, IncidentRow)}
        assert all(about[row.incident_id] != row.target for row in told), "not to itself"


def _hurry(engine: Engine) -> None:
    """Let SQLite not wait for the disk: what ends here is the program, not the machine."""
    if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _unsafe):
        event.listen(engine, "connect", _unsafe)
        engine.dispose()


def _unsafe(connection: DBAPIConnection, _entry: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = OFF")
    cursor.close()
