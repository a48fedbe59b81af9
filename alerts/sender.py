"""The outbox out: each target by itself, with retries, at least once."""

import logging
import secrets
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from apprise import Apprise
from sqlalchemy import Engine, RowMapping, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from alerts.database import for_writing
from alerts.delivery import Outcome, deliver
from alerts.messages import message_about
from alerts.models import DeliveryRow, IncidentRow, NotificationRow, table_of
from alerts.rows import stored_view
from alerts.target import Target, service_of
from alerts.times import utc_now
from alerts.views import IncidentView
from detectors.findings import Level

#: Wait before the second attempt; it doubles with each further one.
FIRST_WAIT: Final = timedelta(seconds=5)

#: Longest wait between two attempts.
LONGEST_WAIT: Final = timedelta(minutes=15)

#: Attempts after which a notification is dead.
ATTEMPT_LIMIT: Final = 12

#: Rows of one target that one round takes.
_ROUND_LIMIT: Final = 100

_log: Final = structlog.get_logger(__name__)


class Sender:
    """Sends pending notifications; one thread a target, so that a slow one delays no other."""

    def __init__(
        self,
        engine: Engine,
        targets: Sequence[Target],
        *,
        now: Callable[[], datetime] = utc_now,
        interval: float = 1.0,
    ) -> None:
        """Set up the targets; raises TargetError. `interval` is in seconds between rounds."""
        _silence_apprise()
        self._reading = engine
        self._engine = for_writing(engine)
        self._targets = {target.name: (target, service_of(target)) for target in targets}
        self._now = now
        self._interval = interval
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def run_once(self, now: datetime) -> int:
        """Try once what is due at `now`, target by target; return how many were delivered."""
        return sum(self._round(name, lambda: now) for name in self._targets)

    def start(self) -> None:
        """Begin sending in threads; does nothing while they run."""
        if self._threads:
            return
        self._stopping.clear()
        self._threads = [
            threading.Thread(target=self._loop, args=(name,), name=f"sender-{name}", daemon=True)
            for name in self._targets
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End sending; waits up to `timeout` seconds in all for messages in flight."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout / len(self._threads))
        self._threads = []

    def _loop(self, name: str) -> None:
        while not self._stopping.is_set():
            try:
                self._round(name, self._now)
            except SQLAlchemyError as error:
                _log.warning("outbox unreadable", target=name, error=type(error).__name__)
            self._stopping.wait(self._interval)

    def _round(self, name: str, clock: Callable[[], datetime]) -> int:
        target, service = self._targets[name]
        delivered = 0
        for row in self._due(name, clock()):
            if self._stopping.is_set():
                break
            delivered += self._attempt(target, service, row, clock)
        return delivered

    def _due(self, name: str, now: datetime) -> Sequence[RowMapping]:
        table, deliveries = table_of(NotificationRow), table_of(DeliveryRow)
        tried = func.coalesce(deliveries.c.next_attempt_at, table.c.due_at)
        query = (
            select(table, deliveries.c.attempts, deliveries.c.idempotency_key)
            .outerjoin(deliveries, deliveries.c.id == table.c.delivery_id)
            .where(table.c.target == name, table.c.state.in_(("pending", "bundled")), tried <= now)
            .order_by(tried, table.c.id)
            .limit(_ROUND_LIMIT)
        )
        with self._reading.connect() as connection:
            return connection.execute(query).mappings().all()

    def _attempt(
        self, target: Target, service: Apprise, row: RowMapping, clock: Callable[[], datetime]
    ) -> bool:
        incident = self._incident(row["incident_id"])
        if Level[incident.severity.upper()] < target.min_level:
            reason = f"below {target.min_level.label}"
            self._note(row["id"], {"state": "suppressed", "reason": reason})
            return False
        delivery, mark = self._delivery(row, clock())
        attempts = (row["attempts"] or 0) + 1
        outcome = deliver(service, message_about(incident, row["transition"], mark), mark)
        values = outcome_values(outcome, attempts, clock())
        self._note(row["id"], {"state": values.get("state", "bundled")}, delivery, values)
        if not outcome.delivered:
            _log.warning(
                "notification not delivered",
                target=target.name,
                incident=incident.id,
                transition=row["transition"],
                attempt=attempts,
                of=ATTEMPT_LIMIT,
                error=outcome.error,
            )
        return outcome.delivered

    def _delivery(self, row: RowMapping, now: datetime) -> tuple[int, str]:
        """Return the delivery of a row and its mark; made before the first attempt."""
        if row["delivery_id"] is not None:
            return row["delivery_id"], row["idempotency_key"]
        mark = uuid.uuid4().hex
        made = insert(DeliveryRow).returning(DeliveryRow.id)
        values = {
            "target": row["target"],
            "group_key": f"incident={row['incident_id']}",
            "idempotency_key": mark,
            "digest": False,
            "title": "",
            "created_at": now,
            "state": "pending",
            "attempts": 0,
            "next_attempt_at": now,
        }
        with self._engine.begin() as connection:
            delivery = connection.execute(made, values).scalar_one()
            connection.execute(
                update(NotificationRow)
                .where(NotificationRow.id == row["id"])
                .values(state="bundled", delivery_id=delivery)
            )
        return delivery, mark

    def _incident(self, identity: int) -> IncidentView:
        table = table_of(IncidentRow)
        query = select(table).where(table.c.id == identity)
        with self._reading.connect() as connection:
            return stored_view(connection.execute(query).mappings().one())

    def _note(
        self,
        identity: int,
        values: dict[str, Any],
        delivery: int | None = None,
        outcome: dict[str, Any] | None = None,
    ) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                update(NotificationRow).where(NotificationRow.id == identity).values(values)
            )
            if delivery is not None and outcome is not None:
                connection.execute(
                    update(DeliveryRow).where(DeliveryRow.id == delivery).values(outcome)
                )


def outcome_values(outcome: Outcome, attempts: int, now: datetime) -> dict[str, Any]:
    """Return what the outbox keeps of an attempt, `attempts` counting it."""
    if outcome.delivered:
        return {"state": "sent", "attempts": attempts, "sent_at": now, "last_error": None}
    if attempts >= ATTEMPT_LIMIT:
        return {"state": "dead", "attempts": attempts, "last_error": outcome.error}
    return {
        "attempts": attempts,
        "last_error": outcome.error,
        "next_attempt_at": now + backoff(attempts),
    }


def backoff(attempts: int) -> timedelta:
    """Return the wait after so many attempts: doubling, capped, half of it by chance."""
    wait: timedelta = min(FIRST_WAIT * 2 ** min(attempts - 1, 30), LONGEST_WAIT)
    return wait * (0.5 + secrets.randbelow(501) / 1000)


def _silence_apprise() -> None:
    # Its log lines may hold addresses; what went wrong is said here, without them.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
