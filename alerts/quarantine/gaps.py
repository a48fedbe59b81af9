"""Gaps in the database: when nothing was seen of a source, and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, delete, insert, or_, select, update

from alerts.database.models import GapRow, table_of
from alerts.database.opening import for_writing
from alerts.database.statements import chunks
from alerts.quarantine.rows import stored_partition
from ingest.gaps import Gap
from ingest.masking import printable
from ingest.times import iso

#: How long gaps are kept after they were recorded, and how many: the newest.
KEEP: Final = timedelta(days=400)
KEPT: Final = 10_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GAPS: Final = table_of(GapRow)


@dataclass(frozen=True, slots=True)
class StoredGap:
    """A gap as it is listed: nothing, or not all, was seen of `partition` from since to until.

    `since` and `until` are event times, None if there is no event before or (yet) after it.
    `lost` is how many records of a topic or bytes of a log (`unit`) were not read, None if nobody
    knows: then it may be none.
    """

    id: int
    partition: str
    position: int
    reason: str
    unit: str
    lost: int | None
    since: datetime | None
    until: datetime | None
    recorded_at: datetime

    @property
    def blind(self) -> str:
        """From when to when nothing, or not all, was seen, in words; UTC."""
        since = "?" if self.since is None else f"{self.since:%Y-%m-%d %H:%M}"
        if self.until is None:
            return f"blind from {since}"
        same = self.since is not None and self.since.date() == self.until.date()
        return f"blind from {since} to {self.until:{'%H:%M' if same else '%Y-%m-%d %H:%M'}}"

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "id": self.id,
            "partition": self.partition,
            "position": self.position,
            "reason": self.reason,
            "unit": self.unit,
            "lost": self.lost,
            "since": self.since and iso(self.since),
            "until": self.until and iso(self.until),
            "recorded_at": iso(self.recorded_at),
        }


def save_gaps(connection: Connection, gaps: Iterable[Gap], now: datetime) -> None:
    """Write gaps within the caller's transaction; a known one grows, doing it again changes none.

    Give them with the checkpoint that they belong to, as a crash before it finds them again.
    """
    by_key = {gap.key: gap for gap in gaps}
    known: set[str] = set()
    for keys in chunks(list(by_key)):
        known.update(connection.execute(select(_GAPS.c.key).where(_GAPS.c.key.in_(keys))).scalars())
    grown = [
        {"row": key, "end": _time(by_key[key].until), "number": by_key[key].lost} for key in known
    ]
    if grown:
        same = update(_GAPS).where(_GAPS.c.key == bindparam("row"))
        connection.execute(same.values(until=bindparam("end"), lost=bindparam("number")), grown)
    new = [_values(gap, now) for key, gap in by_key.items() if key not in known]
    if new:
        connection.execute(insert(_GAPS), new)


def list_gaps(
    engine: Engine,
    since: datetime | None = None,
    *,
    partition: str | None = None,
    limit: int = 1000,
) -> list[StoredGap]:
    """Return the gaps that reach beyond `since` (event time), those recorded last first.

    One whose end is not known reaches beyond any time.
    """
    columns = [column for column in _GAPS.c if column.name != "key"]
    query = select(*columns).order_by(_GAPS.c.recorded_at.desc(), _GAPS.c.id.desc()).limit(limit)
    if since is not None:
        query = query.where(or_(_GAPS.c.until.is_(None), _GAPS.c.until > since))
    if partition is not None:
        query = query.where(_GAPS.c.partition == stored_partition(partition))
    with engine.connect() as connection:
        return [StoredGap(*row) for row in connection.execute(query)]


def expire_gaps(engine: Engine, now: datetime, keep: timedelta = KEEP, kept: int = KEPT) -> int:
    """Delete gaps recorded over `keep` ago, and all but the newest `kept`; return how many."""
    newest = select(_GAPS.c.id).order_by(_GAPS.c.id.desc()).limit(1).offset(kept)
    with for_writing(engine).begin() as connection:
        gone = connection.execute(delete(_GAPS).where(_GAPS.c.recorded_at < now - keep)).rowcount
        beyond = connection.execute(newest).scalar()
        if beyond is not None:
            gone += connection.execute(delete(_GAPS).where(_GAPS.c.id <= beyond)).rowcount
        return gone


def _values(gap: Gap, now: datetime) -> dict[str, Any]:
    return {
        "key": gap.key,
        "partition": stored_partition(gap.partition),
        "position": gap.position,
        "reason": printable(gap.reason),
        "unit": gap.unit,
        "lost": gap.lost,
        "since": _time(gap.since),
        "until": _time(gap.until),
        "recorded_at": now,
    }


def _time(time: int | None) -> datetime | None:
    return None if time is None else _EPOCH + timedelta(microseconds=time)
