"""Quarantine in the database: what could not be read, where it is, and for how long.

Written by `rows`. What people see adds up the spans of a group.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    delete,
    exists,
    func,
    select,
    update,
)

from alerts.database.models import (
    QuarantineGroupRow,
    QuarantineSampleRow,
    QuarantineSpanRow,
    table_of,
)
from alerts.database.opening import for_writing
from alerts.quarantine.rows import stored_partition
from ingest.quarantine import Sample
from ingest.times import iso

#: How long groups, places and samples are kept after they were last seen.
KEEP: Final = timedelta(days=14)

_GROUPS: Final = table_of(QuarantineGroupRow)
_SPANS: Final = table_of(QuarantineSpanRow)
_SAMPLES: Final = table_of(QuarantineSampleRow)


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group as it is listed. `first_position` is the least and `last_position` the greatest."""

    id: int
    partition: str
    reason: str
    shape: str
    count: int
    first_position: int
    last_position: int
    first_seen_at: datetime
    last_seen_at: datetime
    suggestion: str | None
    replayed_at: datetime | None
    replayed_events: int | None
    replayed_rest: int | None

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "id": self.id,
            "partition": self.partition,
            "reason": self.reason,
            "shape": self.shape,
            "count": self.count,
            "first_position": self.first_position,
            "last_position": self.last_position,
            "first_seen_at": iso(self.first_seen_at),
            "last_seen_at": iso(self.last_seen_at),
            "suggestion": self.suggestion,
            "replayed_at": self.replayed_at and iso(self.replayed_at),
            "replayed_events": self.replayed_events,
            "replayed_rest": self.replayed_rest,
        }


@dataclass(frozen=True, slots=True)
class Span:
    """What one reading put into a group; `ranges` are (first, last) positions."""

    count: int
    ranges: tuple[tuple[int, int], ...]
    more_ranges: bool
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class StoredDetail:
    """A group with its spans, the newest first."""

    group: StoredGroup
    spans: tuple[Span, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON: the group's own fields, ranges, and the newest samples."""
        samples = self.spans[0].samples if self.spans else ()
        return {
            **self.group.to_dict(),
            "ranges": [list(pair) for span in self.spans for pair in span.ranges],
            "more_ranges": any(span.more_ranges for span in self.spans),
            "samples": [
                {"position": s.position, "text": s.text, "length": s.length, "sha256": s.sha256}
                for s in samples
            ],
        }


class QuarantineStore:
    """What people and the program ask about stored quarantine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = for_writing(engine)

    def list_groups(
        self, *, partition: str | None = None, reason: str | None = None, limit: int = 50
    ) -> list[StoredGroup]:
        """Return groups, the largest first."""
        query = _listed()
        if partition is not None:
            query = query.where(_GROUPS.c.partition == stored_partition(partition))
        if reason is not None:
            query = query.where(_GROUPS.c.reason == reason)
        query = query.order_by(func.sum(_SPANS.c.lines).desc(), _GROUPS.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [_group(row) for row in connection.execute(query)]

    def show(self, identity: int) -> StoredDetail | None:
        """Return a group with its places and samples; None if there is none."""
        with self._engine.connect() as connection:
            row = connection.execute(_listed().where(_GROUPS.c.id == identity)).one_or_none()
            if row is None:
                return None
            return StoredDetail(_group(row), tuple(_spans_of(connection, identity)))

    def mark_replayed(self, identity: int, now: datetime, *, events: int, rest: int) -> None:
        """Note how many lines of a group were events when read again, and how many were not."""
        statement = (
            update(_GROUPS)
            .where(_GROUPS.c.id == identity)
            .values(replayed_at=now, replayed_events=events, replayed_rest=rest)
        )
        with self._engine.begin() as connection:
            connection.execute(statement)

    def forget(self, identity: int) -> bool:
        """Delete a group with all that is kept of it; returns whether it was there."""
        with self._engine.begin() as connection:
            _delete_spans(connection, _SPANS.c.group_id == identity)
            return connection.execute(delete(_GROUPS).where(_GROUPS.c.id == identity)).rowcount > 0

    def expire(self, now: datetime, keep: timedelta = KEEP) -> int:
        """Delete what was last seen longer than `keep` ago; returns how many groups are gone."""
        with self._engine.begin() as connection:
            _delete_spans(connection, _SPANS.c.last_seen_at < now - keep)
            left = exists().where(_SPANS.c.group_id == _GROUPS.c.id)
            return connection.execute(delete(_GROUPS).where(~left)).rowcount


def _listed() -> Select[Any]:
    return (
        select(
            *_GROUPS.c,
            func.sum(_SPANS.c.lines).label("count"),
            func.min(_SPANS.c.first_position).label("first_position"),
            func.max(_SPANS.c.last_position).label("last_position"),
        )
        .join(_SPANS, _SPANS.c.group_id == _GROUPS.c.id)
        .group_by(*_GROUPS.c)
    )


def _group(row: Row[Any]) -> StoredGroup:
    values = {**row._mapping}  # noqa: SLF001 - SQLAlchemy's public name for it
    del values["key"]
    values["count"] = int(values["count"])  # PostgreSQL adds up to Decimal
    return StoredGroup(**values)


def _spans_of(connection: Connection, group_id: int) -> Iterator[Span]:
    query = select(_SPANS).where(_SPANS.c.group_id == group_id)
    newest_first = (_SPANS.c.last_seen_at.desc(), _SPANS.c.first_position.desc())
    for row in connection.execute(query.order_by(*newest_first)).all():
        wanted = select(_SAMPLES).where(_SAMPLES.c.span_id == row.id).order_by(_SAMPLES.c.number)
        samples = tuple(
            Sample(sample.position, sample.text, sample.length, sample.sha256)
            for sample in connection.execute(wanted)
        )
        ranges = tuple((first, last) for first, last in row.ranges)
        yield Span(row.lines, ranges, row.more_ranges, samples)


def _delete_spans(connection: Connection, condition: ColumnElement[bool]) -> None:
    spans = select(_SPANS.c.id).where(condition)
    connection.execute(delete(_SAMPLES).where(_SAMPLES.c.span_id.in_(spans)))
    connection.execute(delete(_SPANS).where(condition))
