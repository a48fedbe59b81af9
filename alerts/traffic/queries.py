"""Traffic as it is shown: points of even length, and who and what is asked for most."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, Select, func, select

from alerts.database.models import TrafficRow, TrafficTopRow, table_of
from alerts.traffic.counts import HOUR, MINUTE, MINUTES_KEPT, TOPS_KEPT

#: Points of a series at most.
POINT_LIMIT: Final = 1_500

#: Points that a series has about, if nobody says how long they shall be.
_PLENTY: Final = 300

#: Lengths of points (s) if nobody says it: the least that makes few enough.
_STEPS: Final = (60, 300, 900, HOUR, 6 * HOUR, 24 * HOUR)

#: How far back services are named.
_SERVICES_OF: Final = timedelta(days=7)

_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: Earlier times than this are not asked for: there is no traffic of before 1970.
FIRST: Final = _EPOCH + _DAY
_LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)
_SLOTS: Final = table_of(TrafficRow)
_TOPS: Final = table_of(TrafficTopRow)


class TrafficRangeError(ValueError):
    """There is no such series: what is asked is too long, too fine, or ends before it begins."""


@dataclass(frozen=True, slots=True)
class TrafficPoint:
    """What happened from `at` on. `client_errors` are answers 4xx without 401 and 403 (`refused`).

    Durations (us) are null where the log has none. Of several minutes the median is the mean of
    theirs, weighted by requests, and the 95th percentile is the greatest of theirs.
    """

    at: datetime
    requests: int
    client_errors: int
    refused: int
    server_errors: int
    response_bytes: int
    p50_us: int | None
    p95_us: int | None


@dataclass(frozen=True, slots=True)
class TrafficSeries:
    """Points of `step` seconds each, one after the other without gaps; of all services if None."""

    service: str | None
    role: str
    since: datetime
    until: datetime
    step: int
    points: tuple[TrafficPoint, ...]


@dataclass(frozen=True, slots=True)
class TrafficEntry:
    """A route or country, its requests, and how many of them were answered 4xx or 5xx."""

    name: str
    requests: int
    errors: int


@dataclass(frozen=True, slots=True)
class TrafficTops:
    """The greatest routes and countries from an hour to another.

    Of each hour and service the 30 greatest of each are known; `routed` and `placed` are the
    requests of all.
    """

    service: str | None
    role: str
    since: datetime
    until: datetime
    routed: int
    placed: int
    routes: tuple[TrafficEntry, ...]
    countries: tuple[TrafficEntry, ...]


@dataclass(frozen=True, slots=True)
class TrafficService:
    """A service that had requests in the last 7 days that are known, and where they were seen."""

    service: str | None
    role: str


def traffic_series(
    engine: Engine,
    *,
    service: str | None = None,
    role: str = "edge",
    since: datetime | None = None,
    until: datetime | None = None,
    step: int | None = None,
) -> TrafficSeries:
    """Return the traffic of a service, or of all; of the newest day there is unless told otherwise.

    `step` is in seconds, whole minutes; without it there are 300 points or fewer. Where minutes are
    gone already it is whole hours. Both ends are moved to whole steps, outwards. Raises
    TrafficRangeError.
    """
    with engine.connect() as connection:
        since, until = _ends(connection, role, since, until)
        minutes_from = _newest(connection, role) - MINUTES_KEPT
        step = step or _fitting(until - since, since < minutes_from)
        if step < MINUTE or step % MINUTE:
            raise TrafficRangeError("step: whole minutes are known, so say a multiple of 60")
        first, last = _whole(since, step), _after(until, step)
        count = (last - first) // timedelta(seconds=step)
        if count > POINT_LIMIT:
            raise TrafficRangeError(
                f"that are {count:,} points, and at most {POINT_LIMIT:,} are told: ask for a"
                " greater step or a shorter time"
            )
        if step % HOUR and since < minutes_from:
            raise TrafficRangeError(
                f"step: before {minutes_from:%Y-%m-%d %H:%M} UTC only whole hours are known: say a"
                f" multiple of {HOUR:,}, or begin later"
            )
        base = MINUTE if step % HOUR else HOUR
        query = (
            select(*_SLOTS.c[2:])
            .where(*_of(_SLOTS, service, role), _SLOTS.c.step == base)
            .where(_SLOTS.c.start >= first, _SLOTS.c.start < last)
        )
        rows = connection.execute(query).all()
    found: dict[datetime, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[_whole(row.start, step)].append(row)
    times = (first + timedelta(seconds=step * number) for number in range(count))
    points = tuple(_point(at, found.get(at, ())) for at in times)
    return TrafficSeries(service, role, first, last, step, points)


def traffic_tops(
    engine: Engine,
    *,
    service: str | None = None,
    role: str = "edge",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 10,
) -> TrafficTops:
    """Return the routes and countries with the most requests; of the newest day if nobody says.

    Both ends are moved to whole hours, outwards. Raises TrafficRangeError.
    """
    with engine.connect() as connection:
        since, until = _ends(connection, role, since, until)
        first, last = _whole(since, HOUR), _after(until, HOUR)
        if last - first > TOPS_KEPT + timedelta(hours=1):
            raise TrafficRangeError(f"at most {TOPS_KEPT.days} days are told")
        query = (
            select(_TOPS)
            .where(*_of(_TOPS, service, role))
            .where(_TOPS.c.start >= first, _TOPS.c.start < last)
        )
        rows = connection.execute(query).all()
    by_kind = {kind: [row for row in rows if row.kind == kind] for kind in ("route", "country")}
    totals = {kind: sum(row.requests for row in some) for kind, some in by_kind.items()}
    tops = {kind: _greatest(some, limit) for kind, some in by_kind.items()}
    return TrafficTops(
        service, role, first, last,
        totals["route"], totals["country"], tops["route"], tops["country"],
    )  # fmt: skip


def traffic_known(engine: Engine, role: str = "edge") -> datetime:
    """Return the end of the newest minute of which anything is known."""
    with engine.connect() as connection:
        return _newest(connection, role)


def traffic_services(engine: Engine, limit: int = 500) -> list[TrafficService]:
    """Return the services with traffic in the last days that are known, by name; None are all."""
    with engine.connect() as connection:
        newest = connection.execute(_last(HOUR)).scalar()
        if newest is None:
            return []
        query = (
            select(_SLOTS.c.service, _SLOTS.c.role)
            .where(_SLOTS.c.step == HOUR, _SLOTS.c.start >= newest - _SERVICES_OF)
            .distinct()
            .order_by(_SLOTS.c.service, _SLOTS.c.role)
            .limit(limit)
        )
        return [TrafficService(row.service or None, row.role) for row in connection.execute(query)]


def _of(table: Any, service: str | None, role: str) -> tuple[Any, Any]:  # noqa: ANN401 - a table
    return table.c.service == (service or ""), table.c.role == role


def _last(step: int) -> Select[Any]:
    return select(func.max(_SLOTS.c.start)).where(_SLOTS.c.step == step)


def _ends(
    connection: Connection, role: str, since: datetime | None, until: datetime | None
) -> tuple[datetime, datetime]:
    """Return both ends, which nobody need give: a day, up to the newest minute."""
    until = until or _newest(connection, role)
    if not FIRST <= until < _LAST or not FIRST <= (since or until) < _LAST:
        raise TrafficRangeError("times are from 1970 on, and before 9999")
    since = since or until - _DAY
    if since >= until:
        raise TrafficRangeError("since is not before until")
    return since, until


def _newest(connection: Connection, role: str) -> datetime:
    """Return when the newest minute there is ends."""
    for step in (MINUTE, HOUR):
        query = _last(step).where(*_of(_SLOTS, None, role))
        found: datetime | None = connection.execute(query).scalar()
        if found is not None:
            return found + timedelta(seconds=step)
    return FIRST + _DAY


def _fitting(span: timedelta, long_ago: bool) -> int:
    steps = _STEPS[3:] if long_ago else _STEPS
    fitting = (step for step in steps if span <= timedelta(seconds=step * _PLENTY))
    return next(fitting, _STEPS[-1])


def _whole(time: datetime, step: int) -> datetime:
    since: timedelta = (time - _EPOCH) % timedelta(seconds=step)
    return time - since


def _after(time: datetime, step: int) -> datetime:
    whole = _whole(time, step)
    return whole if whole == time else whole + timedelta(seconds=step)


def _point(at: datetime, rows: Sequence[Row[Any]]) -> TrafficPoint:
    timed = [row for row in rows if row.p50_us is not None]
    weight = sum(row.requests for row in timed)
    return TrafficPoint(
        at=at,
        requests=sum(row.requests for row in rows),
        client_errors=sum(row.client_errors for row in rows),
        refused=sum(row.refused for row in rows),
        server_errors=sum(row.server_errors for row in rows),
        response_bytes=sum(row.response_bytes for row in rows),
        p50_us=sum(row.p50_us * row.requests for row in timed) // weight if weight else None,
        p95_us=max((row.p95_us for row in timed), default=None),
    )


def _greatest(rows: Iterable[Row[Any]], limit: int) -> tuple[TrafficEntry, ...]:
    requests: dict[str, int] = defaultdict(int)
    errors: dict[str, int] = defaultdict(int)
    for row in rows:
        for name, count, failed in row.entries:
            requests[name] += count
            errors[name] += failed
    ranked = sorted(requests, key=lambda name: (-requests[name], name))[:limit]
    return tuple(TrafficEntry(name, requests[name], errors[name]) for name in ranked)
