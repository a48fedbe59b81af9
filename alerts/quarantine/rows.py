"""Quarantine groups into rows; within the store's transaction.

A group (partition, reason, shape) is counted in spans: one for each uninterrupted reading of the
partition, known by the position of the first line that it put into the group. Readings that begin
at the same place find the same lines, so a span's count is the greatest seen: scanning a log
twice, or reading on from the same checkpoint twice, changes nothing. Groups are given with the
checkpoint that they belong to, so what a crash makes the program read again was not counted
before.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from alerts.database.models import (
    QuarantineGroupRow,
    QuarantineSampleRow,
    QuarantineSpanRow,
    table_of,
)
from alerts.database.safety import bounded
from ingest.masking import printable
from ingest.quarantine import QuarantineGroup, Sample

#: Characters of a partition's name.
_NAME_LIMIT: Final = 2_000

#: Groups looked up in one statement.
_SOME: Final = 500

_GROUPS: Final = table_of(QuarantineGroupRow)
_SPANS: Final = table_of(QuarantineSpanRow)
_SAMPLES: Final = table_of(QuarantineSampleRow)


def save_groups(connection: Connection, groups: Sequence[QuarantineGroup], now: datetime) -> None:
    """Write groups within the caller's transaction; doing it again changes only `last_seen_at`."""
    by_key = {_key(group): group for group in groups}
    ids = _save_groups(connection, by_key, now)
    spans = {(ids[key], group.first_position): group for key, group in by_key.items()}
    _save_spans(connection, spans, now)


def _key(group: QuarantineGroup) -> str:
    digest = hashlib.sha256()
    for part in (group.partition, group.reason, group.shape):
        data = part.encode(errors="surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def stored_partition(partition: str) -> str:
    """Return a partition's name as it is stored."""
    return bounded(printable(partition), _NAME_LIMIT)


def _save_groups(
    connection: Connection, groups: dict[str, QuarantineGroup], now: datetime
) -> dict[str, int]:
    """Insert new groups, note that the others were seen; return the id of each."""
    ids: dict[str, int] = {}
    without: set[str] = set()
    for keys in _cut(list(groups)):
        query = select(_GROUPS.c.key, _GROUPS.c.id, _GROUPS.c.suggestion)
        for key, identity, suggestion in connection.execute(query.where(_GROUPS.c.key.in_(keys))):
            ids[key] = identity
            if suggestion is None:
                without.add(key)
    if ids:
        seen = update(_GROUPS).where(_GROUPS.c.id == bindparam("row")).values(last_seen_at=now)
        connection.execute(seen, [{"row": identity} for identity in ids.values()])
    helped = [
        {"row": ids[key], "text": groups[key].suggestion}
        for key in without
        if groups[key].suggestion is not None
    ]
    if helped:
        statement = update(_GROUPS).where(_GROUPS.c.id == bindparam("row"))
        connection.execute(statement.values(suggestion=bindparam("text")), helped)
    new = [key for key in groups if key not in ids]
    if new:
        statement_new = insert(_GROUPS).returning(_GROUPS.c.id, sort_by_parameter_order=True)
        values = [_group_values(key, groups[key], now) for key in new]
        ids |= zip(new, connection.execute(statement_new, values).scalars(), strict=True)
    return ids


def _group_values(key: str, group: QuarantineGroup, now: datetime) -> dict[str, Any]:
    return {
        "key": key,
        "partition": stored_partition(group.partition),
        "reason": group.reason,
        "shape": group.shape,
        "suggestion": group.suggestion,
        "first_seen_at": now,
        "last_seen_at": now,
    }


def _save_spans(
    connection: Connection, spans: dict[tuple[int, int], QuarantineGroup], now: datetime
) -> None:
    known: dict[tuple[int, int], Row[Any]] = {}
    for some in _cut(sorted({group_id for group_id, _ in spans})):
        query = select(_SPANS).where(_SPANS.c.group_id.in_(some))
        known |= {(row.group_id, row.first_position): row for row in connection.execute(query)}
    ids = {place: row.id for place, row in known.items()}
    grown = [
        {"row": ids[place], **_span_values(group, now)}
        for place, group in spans.items()
        if place in known and group.count >= known[place].lines
    ]
    if grown:
        connection.execute(update(_SPANS).where(_SPANS.c.id == bindparam("row")), grown)
    new = [place for place in spans if place not in known]
    if new:
        statement = insert(_SPANS).returning(_SPANS.c.id, sort_by_parameter_order=True)
        values = [
            {"group_id": place[0], "first_position": place[1], **_span_values(spans[place], now)}
            for place in new
        ]
        ids |= zip(new, connection.execute(statement, values).scalars(), strict=True)
    _save_samples(connection, {ids[place]: group.samples for place, group in spans.items()})


def _span_values(group: QuarantineGroup, now: datetime) -> dict[str, Any]:
    return {
        "last_position": group.last_position,
        "lines": group.count,
        "ranges": [list(pair) for pair in group.ranges],
        "more_ranges": group.more_ranges,
        "last_seen_at": now,
    }


def _save_samples(connection: Connection, samples: dict[int, tuple[Sample, ...]]) -> None:
    kept: dict[int, int] = {}
    for some in _cut(sorted(samples)):
        counted = select(_SAMPLES.c.span_id, func.count().label("number")).where(
            _SAMPLES.c.span_id.in_(some)
        )
        rows = connection.execute(counted.group_by(_SAMPLES.c.span_id))
        kept |= {row.span_id: row.number for row in rows}
    values = [
        {
            "span_id": span,
            "number": number,
            "position": sample.position,
            "text": printable(sample.text),
            "length": sample.length,
            "sha256": sample.sha256,
        }
        for span, several in samples.items()
        for number, sample in enumerate(several)
        if number >= kept.get(span, 0)
    ]
    if values:
        connection.execute(insert(_SAMPLES), values)


def _cut(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[start : start + _SOME] for start in range(0, len(values), _SOME))
