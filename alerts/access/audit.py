"""Who changed what over the API, and who was refused: rows that are added, never altered.

A change is written at once, or, where the database is busy, as soon as it can be. Refusals come
from strangers, as many as they like: those of one address, status and route add up to one row a
minute, and wait in memory for a second, so that whoever floods the API cannot keep the worker from
writing. At most REFUSALS kinds wait at once; the others are counted as one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any, Final, Literal

import structlog
from sqlalchemy import Engine, Table, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from alerts.database.models import AuditRow, table_of
from alerts.database.opening import for_writing
from alerts.database.safety import bounded
from alerts.incidents.views import json_ready
from ingest.masking import printable

Outcome = Literal["done", "refused"]

#: Kinds of refusals that wait in memory at most.
REFUSALS: Final = 1_000

#: How long a refusal waits for others of its kind.
WAIT: Final = timedelta(seconds=1)

#: Rows that one answer lists at most, and rows kept at most.
LIST_LIMIT: Final = 200
KEPT: Final = 1_000_000

_TEXT: Final = 200
_OTHERS: Final = "others"

_ROWS: Final[Table] = table_of(AuditRow)
_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deed:
    """Somebody did something, or was refused; `count` times until `last_at`.

    `actor` is a name, `caller` the id of the key or session behind it (None: nobody known),
    `action` what was asked for (`PATCH /api/v1/incidents/{incident_id}`), `subject` what it was
    about (`incident 17`), `detail` what was changed, without secrets.
    """

    at: datetime
    actor: str | None
    caller: str | None
    action: str
    subject: str | None
    outcome: Outcome
    status: int
    address: str | None
    request_id: str
    detail: dict[str, Any]
    count: int = 1
    last_at: datetime | None = None

    def values(self) -> dict[str, Any]:
        """Return it as a row; texts are made harmless and short."""
        written = asdict(self) | {"last_at": self.last_at or self.at}
        for name in ("actor", "caller", "action", "subject", "address", "request_id"):
            text = written[name]
            written[name] = None if text is None else bounded(printable(text), _TEXT)
        return written


@dataclass(frozen=True, slots=True)
class StoredDeed(Deed):
    """A deed with its number."""

    id: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {name: json_ready(value) for name, value in asdict(self).items()}


class AuditLog:
    """Writes deeds, and what else need not be written at once; `close` writes what waits."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._waiting: dict[tuple[str | None, ...], Deed] = {}
        self._later: dict[str, Callable[[], None]] = {}
        self._some = Event()
        self._ended = Event()
        self._thread: Thread | None = None

    def done(self, deed: Deed) -> None:
        """Write a change. It was made: where that cannot be written now, it waits."""
        try:
            self._write([deed])
        except SQLAlchemyError as error:
            _log.error("a change is audited later", error=type(error).__name__, deed=deed.action)
            self._keep({("done", deed.request_id, deed.action): deed})
            self._wake()

    def refused(self, deed: Deed) -> None:
        """Note a refusal; it is written within a second or two."""
        with self._lock:
            key = self._key(deed)
            known = self._waiting.get(key)
            if known is None:
                self._waiting[key] = deed if len(key) > 1 else _nameless(deed)
            else:
                self._waiting[key] = replace(known, count=known.count + 1, last_at=deed.at)
        self._wake()

    def later(self, name: str, write: Callable[[], None]) -> None:
        """Call `write` within a second or two, in place of what waits under the same name.

        So nobody's request waits until the database can be written.
        """
        with self._lock:
            if name in self._later or len(self._later) < REFUSALS:
                self._later[name] = write
        self._wake()

    def flush(self) -> None:
        """Write what waits; what cannot be written waits on. Raises SQLAlchemyError."""
        with self._lock:
            deeds, self._waiting = self._waiting, {}
            others, self._later = list(self._later.values()), {}
        try:
            if deeds:
                self._write(list(deeds.values()))
        except SQLAlchemyError:
            self._keep(deeds)
            raise
        for write in others:
            write()

    def close(self) -> None:
        """Write what waits, and end."""
        self._ended.set()
        self._some.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _keep(self, deeds: Mapping[tuple[str | None, ...], Deed]) -> None:
        with self._lock:
            for key, deed in deeds.items():
                newer = self._waiting.get(key)
                if newer is not None:
                    count, last = deed.count + newer.count, newer.last_at or newer.at
                    self._waiting[key] = replace(deed, count=count, last_at=last)
                elif deed.outcome == "done" or len(self._waiting) < REFUSALS:
                    self._waiting[key] = deed

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None and not self._ended.is_set():
                self._thread = Thread(target=self._work, name="audit", daemon=True)
                self._thread.start()
        self._some.set()

    def _key(self, deed: Deed) -> tuple[str | None, ...]:
        minute = f"{deed.at:%Y-%m-%dT%H:%M}"
        key = (deed.address, deed.caller, deed.action, str(deed.status), minute)
        full = len(self._waiting) >= REFUSALS and key not in self._waiting
        return (_OTHERS,) if full else key

    def _work(self) -> None:
        while not self._ended.is_set():
            self._some.wait()
            self._ended.wait(WAIT.total_seconds())
            self._some.clear()
            try:
                self.flush()
            except SQLAlchemyError as error:
                _log.error("refusals or last uses could not be written", error=type(error).__name__)
                self._some.set()

    def _write(self, deeds: Sequence[Deed]) -> None:
        with for_writing(self._engine).begin() as connection:
            connection.execute(insert(AuditRow), [deed.values() for deed in deeds])


def list_deeds(
    engine: Engine, *, before: int | None = None, limit: int = 50, outcome: Outcome | None = None
) -> list[StoredDeed]:
    """Return deeds, the newest first; with `before`, those of a lesser number.

    Raises ValueError for a limit not in 1..LIST_LIMIT.
    """
    if not 1 <= limit <= LIST_LIMIT:
        raise ValueError(f"limit must be from 1 to {LIST_LIMIT}")
    query = select(_ROWS).order_by(_ROWS.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_ROWS.c.id < before)
    if outcome is not None:
        query = query.where(_ROWS.c.outcome == outcome)
    with engine.connect() as connection:
        return [StoredDeed(**row) for row in connection.execute(query).mappings()]


def expire_deeds(engine: Engine, now: datetime, keep: timedelta, kept: int = KEPT) -> int:
    """Delete what is older than `keep`, and the oldest beyond `kept`; return how many."""
    with for_writing(engine).begin() as connection:
        newest = connection.execute(select(func.max(_ROWS.c.id))).scalar() or 0
        old = (_ROWS.c.last_at < now - keep) | (_ROWS.c.id <= newest - kept)
        return connection.execute(delete(_ROWS).where(old)).rowcount


def _nameless(deed: Deed) -> Deed:
    return replace(deed, address=None, caller=None, actor=None, action=_OTHERS, subject=None)
