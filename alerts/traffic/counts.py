"""Traffic in the database, by minute and hour, and what was asked for most.

Rows are absolute, and of two for the same slot that with more requests stays. So to write them
again after a crash changes nothing. Minutes are kept for days, hours for months.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Table, delete, func, select

from alerts.database.models import TrafficRow, TrafficTopRow, table_of
from alerts.database.opening import for_writing
from alerts.database.safety import safe_name
from alerts.database.statements import inserting
from alerts.routing.mentions import Mentions
from detectors.traffic import TrafficSlot, TrafficTop

MINUTE: Final = 60
HOUR: Final = 3_600

#: How long minutes, hours, and the greatest routes and countries of an hour are kept.
MINUTES_KEPT: Final = timedelta(days=8)
HOURS_KEPT: Final = timedelta(days=90)
TOPS_KEPT: Final = timedelta(days=31)

#: Event time that one transaction deletes at most, and transactions in one call.
_SPAN: Final = timedelta(hours=2)
_TIMES: Final = 50

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SLOTS: Final = table_of(TrafficRow)
_TOPS: Final = table_of(TrafficTopRow)

_Row = TypeVar("_Row", TrafficSlot, TrafficTop)


def save_traffic(connection: Connection, rows: Iterable[TrafficSlot | TrafficTop]) -> None:
    """Write rows within the caller's transaction; doing it again changes nothing."""
    slots: dict[tuple[Any, ...], TrafficSlot] = {}
    tops: dict[tuple[Any, ...], TrafficTop] = {}
    for row in rows:
        if isinstance(row, TrafficSlot):
            _keep(slots, (row.service, row.role, row.step, row.start), row)
        else:
            _keep(tops, (row.service, row.role, row.kind, row.start), row)
    _write(connection, _SLOTS, [_slot(row) for row in slots.values()], TrafficSlot._fields[:4])
    _write(connection, _TOPS, [_top(row) for row in tops.values()], TrafficTop._fields[:4])


def expire_traffic(engine: Engine, now: datetime) -> None:
    """Delete what is older than it is kept, before the newest there is if that is before now.

    Of much that is old some is left for the next call.
    """
    writing = for_writing(engine)
    with engine.connect() as connection:
        newest = connection.execute(
            select(func.max(_SLOTS.c.start)).where(_SLOTS.c.step == HOUR)
        ).scalar()
    if newest is None:
        return
    until = min(now, newest)
    for table, condition, kept in (
        (_SLOTS, _SLOTS.c.step == MINUTE, MINUTES_KEPT),
        (_SLOTS, _SLOTS.c.step == HOUR, HOURS_KEPT),
        (_TOPS, _TOPS.c.id > 0, TOPS_KEPT),
    ):
        for _ in range(_TIMES):
            with writing.begin() as connection:
                oldest = connection.execute(
                    select(func.min(table.c.start)).where(condition)
                ).scalar()
                if oldest is None or oldest >= until - kept:
                    break
                before = min(until - kept, oldest + _SPAN)
                connection.execute(delete(table).where(condition, table.c.start < before))


def erase_traffic(connection: Connection, mentions: Mentions) -> int:
    """Delete the traffic of services whose names name somebody; return how many rows went."""
    return sum(
        connection.execute(delete(table).where(table.c.service == service)).rowcount
        for table, service in _naming(connection, mentions)
    )


def traffic_naming(connection: Connection, mentions: Mentions) -> int:
    """Count what `erase_traffic` would delete."""
    return sum(
        connection.execute(select(func.count()).where(table.c.service == service)).scalar_one()
        for table, service in _naming(connection, mentions)
    )


def _naming(connection: Connection, mentions: Mentions) -> list[tuple[Table, str]]:
    return [
        (table, name)
        for table in (_SLOTS, _TOPS)
        for name in connection.execute(
            select(table.c.service).where(mentions.likely_in(table.c.service)).distinct()
        ).scalars()
        if mentions.erased_from(name) != name
    ]


def _keep(rows: dict[tuple[Any, ...], _Row], key: tuple[Any, ...], row: _Row) -> None:
    known = rows.get(key)
    if known is None or row.requests >= known.requests:
        rows[key] = row


def _slot(row: TrafficSlot) -> dict[str, Any]:
    return {**row._asdict(), "service": safe_name(row.service), "start": _time(row.start)}


def _top(row: TrafficTop) -> dict[str, Any]:
    entries = [[safe_name(name), *counts] for name, *counts in row.entries]
    told = {"service": safe_name(row.service), "start": _time(row.start), "entries": entries}
    return {**row._asdict(), **told}


def _write(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], unique: Sequence[str]
) -> None:
    if not rows:
        return
    statement = inserting(connection, table)
    given = {name: statement.excluded[name] for name in rows[0] if name not in unique}
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(unique),
            set_=given,
            where=statement.excluded.requests >= table.c.requests,
        ),
        rows,
    )


def _time(time: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time)
