"""What was sent when, what was not and why; and dead messages again."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, func, select, update

from alerts.database.models import DeliveryAttemptRow, DeliveryRow, NotificationRow, table_of
from alerts.database.opening import for_writing
from alerts.database.statements import chunks
from alerts.incidents.views import json_ready

#: What became of a message (`trying`: not sent yet), or of news that are in none (`waiting`).
State = Literal["sent", "trying", "dead", "waiting", "suppressed", "rolled_up"]

#: News that one message is shown with; the others are counted.
SHOWN: Final = 20

#: How the rows say that.
_MESSAGES: Final[dict[str, State]] = {"sent": "sent", "pending": "trying", "dead": "dead"}
_NEWS: Final[dict[str, State]] = {
    "pending": "waiting",
    "suppressed": "suppressed",
    "rolled_up": "rolled_up",
}

_rows: Final = table_of(NotificationRow)
_sent: Final = table_of(DeliveryRow)
_tries: Final = table_of(DeliveryAttemptRow)


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt; without an end the program stopped in its midst."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class News:
    """What was to be told of an incident."""

    incident: int
    transition: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A message with its attempts, or news that are in no message, and why.

    `at` is when it was made, `next_at` when it is looked at again. `count` counts the news, `news`
    are the first of them.
    """

    at: datetime
    target: str
    state: State
    delivery: int | None
    mark: str | None
    digest: bool
    title: str | None
    count: int
    news: tuple[News, ...]
    sent_at: datetime | None
    next_at: datetime | None
    why: str | None
    attempts: tuple[Try, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON: lists, and times as ISO 8601 with Z."""
        return {name: json_ready(value) for name, value in asdict(self).items()}


def history(
    engine: Engine,
    *,
    incident: int | None = None,
    target: str | None = None,
    state: State | None = None,
    limit: int = 50,
) -> list[Entry]:
    """Return messages, and news in none, the newest first: those of an incident, target, state."""
    with engine.connect() as connection:
        entries = [
            *_messages(connection, incident, target, state, limit),
            *_unsent(connection, incident, target, state, limit),
        ]
    entries.sort(key=lambda entry: (entry.at, entry.delivery or 0), reverse=True)
    return entries[:limit]


def revive(
    engine: Engine, now: datetime, *, delivery: int | None = None, target: str | None = None
) -> list[int]:
    """Let dead messages be tried again, with the marks they had; return their numbers.

    Those with the number, or of the target, or all. What a fallback target was told stays told.
    """
    conditions: list[ColumnElement[bool]] = [_sent.c.state == "dead"]
    if delivery is not None:
        conditions.append(_sent.c.id == delivery)
    if target is not None:
        conditions.append(_sent.c.target == target)
    with for_writing(engine).begin() as connection:
        has_news = select(_rows.c.id).where(_rows.c.delivery_id == _sent.c.id).exists()
        dead = list(
            connection.execute(
                select(_sent.c.id).where(*conditions, has_news).order_by(_sent.c.id)
            ).scalars()
        )
        for chunk in chunks(dead):
            connection.execute(
                update(_sent)
                .where(_sent.c.id.in_(chunk))
                .values(state="pending", attempts=0, next_attempt_at=now)
            )
            connection.execute(
                update(_rows)
                .where(_rows.c.delivery_id.in_(chunk), _rows.c.state == "dead")
                .values(state="bundled")
            )
    return dead


def _messages(
    connection: Connection,
    incident: int | None,
    target: str | None,
    state: State | None,
    limit: int,
) -> list[Entry]:
    query = select(_sent).order_by(_sent.c.created_at.desc(), _sent.c.id.desc()).limit(limit)
    known = [stored for stored, said in _MESSAGES.items() if state in {None, said}]
    query = query.where(_sent.c.state.in_(known))
    if target is not None:
        query = query.where(_sent.c.target == target)
    if incident is not None:
        about = select(_rows.c.delivery_id).where(_rows.c.incident_id == incident)
        query = query.where(_sent.c.id.in_(about))
    found = connection.execute(query).mappings().all()
    attempts = _attempts(connection, [row["id"] for row in found])
    return [_message(connection, row, attempts[row["id"]]) for row in found]


def _message(connection: Connection, row: RowMapping, attempts: Sequence[Try]) -> Entry:
    own = _rows.c.delivery_id == row["id"]
    count = connection.execute(select(func.count()).where(own)).scalar_one()
    news = connection.execute(
        select(_rows.c.incident_id, _rows.c.transition).where(own).order_by(_rows.c.id).limit(SHOWN)
    )
    return Entry(
        at=row["created_at"],
        target=row["target"],
        state=_MESSAGES[row["state"]],
        delivery=row["id"],
        mark=row["idempotency_key"],
        digest=row["digest"],
        title=row["title"] or None,
        count=count,
        news=tuple(News(*item) for item in news),
        sent_at=row["sent_at"],
        next_at=row["next_attempt_at"] if row["state"] == "pending" else None,
        why=row["last_error"],
        attempts=tuple(attempts),
    )


def _attempts(connection: Connection, deliveries: Sequence[int]) -> dict[int, list[Try]]:
    found: dict[int, list[Try]] = defaultdict(list)
    columns = _tries.c
    for chunk in chunks(deliveries):
        query = select(
            columns.delivery_id,
            columns.number,
            columns.started_at,
            columns.ended_at,
            columns.outcome,
            columns.error,
        ).where(columns.delivery_id.in_(chunk))
        for delivery, *values in connection.execute(query.order_by(columns.id)):
            found[delivery].append(Try(*values))
    return found


def _unsent(
    connection: Connection,
    incident: int | None,
    target: str | None,
    state: State | None,
    limit: int,
) -> list[Entry]:
    query = (
        select(_rows)
        .where(_rows.c.delivery_id.is_(None))
        .order_by(_rows.c.created_at.desc(), _rows.c.id.desc())
        .limit(limit)
    )
    known = [stored for stored, said in _NEWS.items() if state in {None, said}]
    query = query.where(_rows.c.state.in_(known))
    if target is not None:
        query = query.where(_rows.c.target == target)
    if incident is not None:
        query = query.where(_rows.c.incident_id == incident)
    return [
        Entry(
            at=row["created_at"],
            target=row["target"],
            state=_NEWS[row["state"]],
            delivery=None,
            mark=None,
            digest=False,
            title=None,
            count=1,
            news=(News(row["incident_id"], row["transition"]),),
            sent_at=None,
            next_at=row["due_at"] if row["state"] == "pending" else None,
            why=row["reason"],
            attempts=(),
        )
        for row in connection.execute(query).mappings()
    ]
