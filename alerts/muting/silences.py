"""Silences: nobody is told of some incidents for a while, because a person said so."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from alerts.database.models import NotificationRow, SilenceRow, table_of
from alerts.database.opening import for_writing
from alerts.incidents.views import json_ready
from alerts.routing.matchers import Matchers

#: Longest silence, and how far ahead one may begin: a longer one is forgotten, not meant.
LONGEST: Final = timedelta(days=366)

#: Characters of a comment and of an author's name.
COMMENT_LIMIT: Final = 1_000
AUTHOR_LIMIT: Final = 100

#: Silences that are not over at most: each message is held against all of them.
SILENCES_LIMIT: Final = 1_000

#: Silences that one answer lists at most.
LIST_LIMIT: Final = 1_000

#: How the reason of what waits because of a silence begins; its number follows.
_REASON: Final = "silence "

SilenceState = Literal["pending", "active", "expired"]

_log: Final = structlog.get_logger(__name__)


class SilenceError(ValueError):
    """A silence that cannot be made or changed so; the message says what to do."""


class NoSuchSilenceError(SilenceError):
    """There is no silence of that number."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of incidents that `matchers` are about, from `starts_at` until `ends_at`."""

    id: int
    matchers: Matchers
    comment: str
    created_by: str
    created_at: datetime
    starts_at: datetime
    ends_at: datetime

    def state(self, now: datetime) -> SilenceState:
        """Say whether it is still to come, in force, or over; its end is no longer part of it."""
        if now >= self.ends_at:
            return "expired"
        return "active" if now >= self.starts_at else "pending"

    @property
    def reason(self) -> str:
        """What a notification says that waits because of it."""
        return f"{_REASON}{self.id}"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        written = asdict(self) | {"matchers": self.matchers.written()}
        return {name: json_ready(value) for name, value in written.items()}


def add_silence(
    engine: Engine,
    matchers: Matchers,
    *,
    comment: str,
    created_by: str,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
    everything: bool = False,
) -> Silence:
    """Keep a silence and return it; raises SilenceError.

    It begins at `starts_at`, or at `now` if that is past. Matchers without any field are about
    all incidents, and need `everything`: somebody may only have forgotten them.
    """
    starts_at = max(starts_at, now)
    _check_text(comment, created_by)
    _check_span(starts_at, ends_at, now)
    if matchers.empty and not everything:
        raise SilenceError("nothing is said about which incidents; say so if all are meant")
    values = {
        "matchers": matchers.written(),
        "comment": comment.strip(),
        "created_by": created_by.strip(),
        "created_at": now,
        "starts_at": starts_at,
        "ends_at": ends_at,
    }
    statement = insert(SilenceRow).values(values).returning(SilenceRow.id)
    with for_writing(engine).begin() as connection:
        _check_room(connection, now)
        identity = connection.execute(statement).scalar_one()
        return _read(connection, identity)


def list_silences(engine: Engine, now: datetime, *, expired: bool = False) -> list[Silence]:
    """Return silences in force or still to come, with `expired` also old ones, the newest first.

    At most LIST_LIMIT.
    """
    table = table_of(SilenceRow)
    query = select(table).order_by(table.c.id.desc()).limit(LIST_LIMIT)
    if not expired:
        query = query.where(table.c.ends_at > now)
    with engine.connect() as connection:
        return _readable(connection.execute(query).mappings().all())


def expire_silence(engine: Engine, identity: int, now: datetime) -> Silence:
    """End a silence at once; what waits because of it is due. Returns it as it is then.

    Raises NoSuchSilenceError, and SilenceError of one that is over already.
    """
    with for_writing(engine).begin() as connection:
        silence = _read(connection, identity)
        if silence.state(now) == "expired":
            raise SilenceError(f"silence {identity} is over already")
        connection.execute(
            update(SilenceRow)
            .where(SilenceRow.id == identity)
            .values(ends_at=now, starts_at=min(silence.starts_at, now))
        )
        _make_due(connection, identity, now)
        return _read(connection, identity)


def active_silences(connection: Connection, now: datetime) -> list[Silence]:
    """Return the silences in force, by number."""
    table = table_of(SilenceRow)
    query = (
        select(table).where(table.c.ends_at > now, table.c.starts_at <= now).order_by(table.c.id)
    )
    return _readable(connection.execute(query).mappings().all())


def release(connection: Connection, waits: Mapping[str, datetime]) -> None:
    """Let rows that were put aside for silences wait no longer than these last by now.

    `waits` has the reasons, as "silence 3", with the ends that were known when it was judged. Who
    puts rows aside calls this in that transaction: a silence may have been ended between judging
    and writing, and whoever ended it could not see those rows.
    """
    known = {
        int(reason.removeprefix(_REASON)): end
        for reason, end in waits.items()
        if reason.startswith(_REASON)
    }
    if not known:
        return
    query = select(SilenceRow.id, SilenceRow.ends_at).where(SilenceRow.id.in_(known))
    for identity, ends_at in connection.execute(query).all():
        if ends_at < known[identity]:
            _make_due(connection, identity, ends_at)


def _make_due(connection: Connection, identity: int, at: datetime) -> None:
    row = NotificationRow
    connection.execute(
        update(row)
        .where(row.state == "pending", row.reason == f"{_REASON}{identity}", row.due_at > at)
        .values(due_at=at)
    )


def _check_text(comment: str, created_by: str) -> None:
    for name, text, limit in (
        ("comment", comment.strip(), COMMENT_LIMIT),
        ("author", created_by.strip(), AUTHOR_LIMIT),
    ):
        if not (0 < len(text) <= limit and text.isprintable()):
            raise SilenceError(f"the {name} must have 1 to {limit:,} printable characters")


def _check_room(connection: Connection, now: datetime) -> None:
    lasting = select(func.count()).select_from(SilenceRow).where(SilenceRow.ends_at > now)
    if connection.execute(lasting).scalar_one() >= SILENCES_LIMIT:
        raise SilenceError(
            f"{SILENCES_LIMIT:,} silences are not over, which is the most there may be: expire"
            " some, or have one silence name several entities or detectors"
        )


def _check_span(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if ends_at <= now:
        raise SilenceError("its end is past; give a later one")
    if ends_at <= starts_at:
        raise SilenceError("it ends before it begins")
    if ends_at - starts_at > LONGEST:
        raise SilenceError(f"it is longer than {LONGEST.days} days; for good, change the settings")
    if starts_at - now > LONGEST:
        raise SilenceError(f"it begins more than {LONGEST.days} days ahead")


def _read(connection: Connection, identity: int) -> Silence:
    table = table_of(SilenceRow)
    row = connection.execute(select(table).where(table.c.id == identity)).mappings().one_or_none()
    if row is None:
        raise NoSuchSilenceError(f"there is no silence {identity}")
    return _silence(row)


def _readable(rows: Sequence[RowMapping]) -> list[Silence]:
    """Return silences; one that a newer program wrote and this one cannot read mutes nothing."""
    silences = []
    for row in rows:
        try:
            silences.append(_silence(row))
        except ValidationError:
            _log.warning("silence cannot be read: it mutes nothing", silence=row["id"])
    return silences


def _silence(row: RowMapping) -> Silence:
    return Silence(**{**row, "matchers": Matchers.model_validate(row["matchers"])})
