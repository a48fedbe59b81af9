"""One active worker per database: a lease with an epoch, by the database's clock.

The holder renews its lease every third of its length; whoever finds it expired, given back, or
held by a process that has ended on the same machine, takes over under the next epoch. A lease
says who may begin to work. What makes it safe is the fence: each transaction of worker and
sender begins by comparing its epoch with the stored one, under the lock that takes writers one
after the other (`alerts.database.opening.for_writing`). So a holder that was stopped for however
long, between any two of its instructions, writes nothing after another one has taken over.

A lease that has expired and that nobody has taken is still its holder's: it goes on with it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine, Row, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from alerts.database.models import LeaseRow, table_of
from alerts.database.opening import fenced, for_writing
from alerts.database.times import UtcTime
from alerts.recovery.holder import Holder, is_gone

#: How long a lease lasts after it was renewed.
LENGTH: Final = timedelta(seconds=6)

#: No lease lasts so long: one that seems to was given before the database's clock was set back.
_NEVER: Final = timedelta(minutes=2)

#: How often one who stands by looks whether the lease is free.
LOOK: Final = timedelta(seconds=0.5)

_WORKER: Final = "worker"
_LEASES: Final = table_of(LeaseRow)
_CLOCK: Final = {
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now') AS now",
    "postgresql": "SELECT clock_timestamp() AS now",
}

_log: Final = structlog.get_logger(__name__)


class LeaseLostError(Exception):
    """Another process has taken over; nothing of this transaction was written."""


@dataclass(frozen=True, slots=True)
class Term:
    """The time that one holder has a lease."""

    name: str
    holder: Holder
    epoch: int

    def check(self, connection: Connection) -> None:
        """Raise LeaseLostError if it is over. For transactions that hold the writers' lock."""
        row = _row(connection, self.name)
        if row is None or row.epoch != self.epoch:
            by = row.holder if row is not None else "nobody"
            raise LeaseLostError(
                f"{by} has taken over from {self.holder.name}, which did not renew its lease in"
                " time: it was stopped, or could not reach the database"
            )

    def fence(self, engine: Engine) -> Engine:
        """Return the same engine; its writing transactions raise LeaseLostError after the term."""
        return fenced(engine, self.check)


class Lease:
    """The lease of the worker in a database, as one process sees it."""

    def __init__(
        self, engine: Engine, *, holder: Holder | None = None, length: timedelta = LENGTH
    ) -> None:
        """`length` must be less than a minute, and the same for all who want the lease."""
        if not timedelta(0) < length < _NEVER / 2:
            raise ValueError(f"a lease of {length} is not between 0 and 60 seconds")
        self._engine = engine
        self._writing = for_writing(engine)
        self._renewing = _without_waiting(engine)
        self._holder = holder or Holder.this()
        self._length = length

    def acquire(self) -> Term | None:
        """Take the lease if it is free; None if another has it. Raises SQLAlchemyError."""
        if self.is_held():
            return None
        with self._writing.begin() as connection:
            if not self._is_free(connection):
                return None
            row = _row(connection, _WORKER)
            term = Term(_WORKER, self._holder, 1 if row is None else row.epoch + 1)
            values = {
                "holder": self._holder.name,
                "process": self._holder.process,
                "epoch": term.epoch,
                "expires_at": _now(connection) + self._length,
            }
            if row is None:
                connection.execute(insert(_LEASES).values(name=_WORKER, **values))
            else:
                connection.execute(
                    update(_LEASES).where(_LEASES.c.name == _WORKER).values(**values)
                )
            return term

    def wait(self, stop: Event, standing_by: Callable[[str], None] = lambda _: None) -> Term | None:
        """Return the lease once it is ours, or None when `stop` is set.

        `standing_by` is called with who has it (host:pid), once for each holder.
        """
        holder, failing = "", False
        while not stop.is_set():
            try:
                term = self.acquire()
                if term is not None:
                    return term
                before, holder = holder, self.holder() or ""
            except SQLAlchemyError as error:
                if not failing:
                    _log.error("cannot ask the database for the lease", reason=_cause(error))
                failing = True
            else:
                failing = False
                if holder != before:
                    standing_by(holder)
            stop.wait(LOOK.total_seconds())
        return None

    def renew(self, term: Term) -> None:
        """Make the lease last its length from now; raises LeaseLostError, SQLAlchemyError."""
        self._set_end(term, self._length)

    def release(self, term: Term) -> None:
        """Give the lease back, if it is ours, so that another can take over at once."""
        try:
            self._set_end(term, timedelta(0))
        except (LeaseLostError, SQLAlchemyError) as error:
            _log.warning("the lease was not given back", reason=_cause(error))

    @contextmanager
    def kept(self, term: Term) -> Iterator[None]:
        """Renew in a thread of its own within the block; give the lease back at its end."""
        done = Event()
        thread = Thread(target=self._keep, args=(term, done), name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            self.release(term)

    def is_held(self) -> bool:
        """Return whether another process has the lease now."""
        with self._engine.connect() as connection:
            return not self._is_free(connection)

    def holder(self) -> str | None:
        """Return who has the lease, for people (host:pid); None if nobody had it ever."""
        with self._engine.connect() as connection:
            row = _row(connection, _WORKER)
        return None if row is None else str(row.holder)

    def _keep(self, term: Term, done: Event) -> None:
        while not done.wait(self._length.total_seconds() / 3):
            try:
                self.renew(term)
            except SQLAlchemyError as error:
                _log.warning("the lease could not be renewed; trying on", reason=_cause(error))
            except LeaseLostError:
                return  # the worker finds out with its next transaction

    def _set_end(self, term: Term, after: timedelta) -> None:
        ours = (_LEASES.c.name == term.name) & (_LEASES.c.epoch == term.epoch)
        with self._renewing.begin() as connection:
            end = _now(connection) + after
            if connection.execute(update(_LEASES).where(ours).values(expires_at=end)).rowcount == 0:
                term.check(connection)

    def _is_free(self, connection: Connection) -> bool:
        row = _row(connection, _WORKER)
        if row is None or is_gone(row.process):
            return True
        left: timedelta = row.expires_at - _now(connection)
        return not timedelta(0) < left < _NEVER


def _row(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(_LEASES).where(_LEASES.c.name == name)).one_or_none()


def _now(connection: Connection) -> datetime:
    """Return the time by the database's clock: every process sees the same one."""
    statement = text(_CLOCK[connection.dialect.name]).columns(now=UtcTime())
    now: datetime = connection.execute(statement).scalar_one()
    return now


def _without_waiting(engine: Engine) -> Engine:
    """Return the engine for renewals: on PostgreSQL they need not wait for a long transaction.

    They change one row that nobody else changes but who takes over, and look at its epoch.
    """
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="READ COMMITTED")
    return for_writing(engine)


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error)
