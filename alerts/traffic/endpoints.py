"""Endpoints in the database: what answered, since when, and how much a day.

Rows of the detectors are absolute counts of a day, and the greatest stays; sets are joined. So
writing them again after a crash changes nothing, and scans of logs of different days add up.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from alerts.database.models import EndpointDayRow, EndpointRow, table_of
from alerts.database.opening import for_writing
from alerts.database.safety import safe_name
from alerts.database.statements import chunks
from detectors.learned.inventory import EndpointDay
from ingest.times import iso

#: How long an endpoint is kept after it was last seen, and how many: those seen last.
KEEP: Final = timedelta(days=90)
KEPT: Final = 20_000

#: Endpoints that one transaction deletes.
_BATCH: Final = 1_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY: Final = _EPOCH.date()
_ENDPOINTS: Final = table_of(EndpointRow)
_DAYS: Final = table_of(EndpointDayRow)
_COUNTS: Final = ("requests", "answered", "errors")
_UNCOUNTED: Final = dict.fromkeys(_COUNTS, 0)

#: How lists are sorted; the number last, so that no two are alike.
_ORDER: Final[tuple[ColumnElement[Any], ...]] = (
    func.coalesce(_ENDPOINTS.c.service, ""),
    _ENDPOINTS.c.template,
    _ENDPOINTS.c.method,
    _ENDPOINTS.c.role,
    _ENDPOINTS.c.id,
)


@dataclass(frozen=True, slots=True)
class StoredEndpoint:
    """An endpoint as it is listed. Counts are of the days that were asked for.

    `role` is edge or internal: where it was seen. `authentication` has user, api_key, and none if
    it answered without either. `standing` is what OpenAPI documents say: declared, deprecated,
    undeclared, undeclared method; None if they say nothing. `errors` were answered 5xx.
    """

    id: int
    service: str | None
    method: str
    template: str
    role: str
    statuses: tuple[str, ...]
    authentication: tuple[str, ...]
    schemes: tuple[str, ...]
    standing: str | None
    first_seen: datetime
    last_seen: datetime
    requests: int
    answered: int
    errors: int

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "id": self.id,
            "service": self.service,
            "method": self.method,
            "template": self.template,
            "role": self.role,
            "requests": self.requests,
            "answered": self.answered,
            "errors": self.errors,
            "statuses": list(self.statuses),
            "authentication": list(self.authentication),
            "schemes": list(self.schemes),
            "standing": self.standing,
            "first_seen": iso(self.first_seen),
            "last_seen": iso(self.last_seen),
        }


@dataclass(frozen=True, slots=True)
class EndpointQuery:
    """Which endpoints: all that are given must agree; `standing` may be "unknown" for None.

    `since` asks for those seen after a time, `new_since` for those first seen after one. `text` is
    part of the template, upper and lower case alike.
    """

    service: str | None = None
    method: str | None = None
    text: str | None = None
    role: str | None = None
    standing: str | None = None
    authentication: str | None = None
    since: datetime | None = None
    new_since: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return what rows must agree with."""
        table, found = _ENDPOINTS.c, list[ColumnElement[bool]]()
        if self.service is not None:
            found.append(table.service == self.service)
        if self.method is not None:
            found.append(table.method == self.method.upper())
        if self.text is not None:
            found.append(table.template.icontains(self.text, autoescape=True))
        if self.role is not None:
            found.append(table.role == self.role)
        if self.standing is not None:
            wanted = None if self.standing == "unknown" else self.standing
            found.append(table.standing.is_not_distinct_from(wanted))
        if self.authentication is not None:
            listed = cast(table.authentication, Text)
            found.append(listed.contains(json.dumps(self.authentication), autoescape=True))
        if self.since is not None:
            found.append(table.last_seen >= self.since)
        if self.new_since is not None:
            found.append(table.first_seen >= self.new_since)
        return found


def save_endpoints(connection: Connection, rows: Sequence[EndpointDay]) -> None:
    """Write days of endpoints within the caller's transaction; doing it again changes nothing."""
    days: dict[str, list[EndpointDay]] = defaultdict(list)
    for row in rows:
        days[_key(row)].append(row)
    known: dict[str, Mapping[str, Any]] = {}
    for keys in chunks(list(days)):
        query = select(_ENDPOINTS).where(_ENDPOINTS.c.key.in_(keys))
        known.update((row["key"], dict(row)) for row in connection.execute(query).mappings())
    new = [_values(key, found, None) for key, found in days.items() if key not in known]
    if new:
        connection.execute(insert(_ENDPOINTS), new)
    grown = [_values(key, days[key], row) for key, row in known.items()]
    changed = [row for row in grown if any(row[name] != known[row["key"]][name] for name in row)]
    if changed:
        _update(connection, changed)
    _save_days(connection, days)


class NoSuchEndpointError(LookupError):
    """The endpoint that a list was to go on after is gone."""


def list_endpoints(
    engine: Engine,
    query: EndpointQuery | None = None,
    *,
    days: int | None = None,
    after: int | None = None,
    limit: int = 1_000,
) -> list[StoredEndpoint]:
    """Return endpoints, by service, path and method; with the counts of their last `days`.

    None counts all days that are kept. The days are those up to the newest there are. `after` is
    the number of the endpoint that the list goes on after; raises NoSuchEndpointError.
    """
    conditions = (query or EndpointQuery()).conditions()
    columns = [column for column in _ENDPOINTS.c if column.name != "key"]
    with engine.connect() as connection:
        if after is not None:
            conditions.append(tuple_(*_ORDER) > tuple_(*_place(connection, after)))
        statement = select(*columns).where(*conditions).order_by(*_ORDER).limit(limit)
        rows = connection.execute(statement).mappings().all()
        counts = _counted(connection, [row["id"] for row in rows], days)
    return [_stored({**row, **counts.get(row["id"], _UNCOUNTED)}) for row in rows]


def expire_endpoints(
    engine: Engine, now: datetime, keep: timedelta = KEEP, kept: int = KEPT
) -> int:
    """Delete what was not seen for so long, days so old, and all but the `kept` seen last.

    Returns how many endpoints went; at most a thousand of each kind go in one call.
    """
    old = _ENDPOINTS.c.last_seen < now - keep
    last = _ENDPOINTS.c.last_seen.desc(), _ENDPOINTS.c.id.desc()
    with for_writing(engine).begin() as connection:
        connection.execute(delete(_DAYS).where(_DAYS.c.day < (now - keep).date()))
        gone = set(connection.execute(select(_ENDPOINTS.c.id).where(old).limit(_BATCH)).scalars())
        beyond = select(_ENDPOINTS.c.id).order_by(*last).offset(kept).limit(_BATCH)
        gone.update(connection.execute(beyond).scalars())
        delete_endpoints(connection, sorted(gone))
    return len(gone)


def delete_endpoints(connection: Connection, ids: Sequence[int]) -> int:
    """Delete endpoints with their days; return how many there were."""
    gone = 0
    for some in chunks(ids):
        connection.execute(delete(_DAYS).where(_DAYS.c.endpoint_id.in_(some)))
        gone += connection.execute(delete(_ENDPOINTS).where(_ENDPOINTS.c.id.in_(some))).rowcount
    return gone


def _key(row: EndpointDay) -> str:
    told = json.dumps([row.service, row.method, row.template, row.role])
    return hashlib.sha256(told.encode()).hexdigest()


def _values(
    key: str, days: Iterable[EndpointDay], known: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what is to be stored of an endpoint: the days joined with what is known."""
    days = sorted(days, key=lambda row: row.day)
    newest = days[-1]
    first, last = _time(min(d.first for d in days)), _time(max(d.last for d in days))
    sets = {
        "statuses": {f"{n}xx" for d in days for n in range(2, 6) if getattr(d, f"status_{n}xx")},
        "authentication": {
            name
            for d in days
            for name, count in (
                ("user", d.with_user),
                ("api_key", d.with_api_key),
                ("none", d.anonymous),
            )
            if count
        },
        "schemes": {
            name
            for d in days
            for name, count in (("http", d.over_http), ("https", d.over_https))
            if count
        },
    }
    if known is not None:
        sets = {name: values | set(known[name]) for name, values in sets.items()}
        first, last = min(first, known["first_seen"]), max(last, known["last_seen"])
    return {
        "key": key,
        "service": None if newest.service is None else safe_name(newest.service),
        "method": safe_name(newest.method),
        "template": safe_name(newest.template),
        "role": newest.role,
        **{name: sorted(values) for name, values in sets.items()},
        "standing": newest.standing,
        "first_seen": first,
        "last_seen": last,
    }


def _update(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    names = ("statuses", "authentication", "schemes", "standing", "first_seen", "last_seen")
    statement = (
        update(_ENDPOINTS)
        .where(_ENDPOINTS.c.key == bindparam("row"))
        .values({name: bindparam(f"new_{name}", type_=_ENDPOINTS.c[name].type) for name in names})
    )
    connection.execute(
        statement,
        [{"row": row["key"], **{f"new_{name}": row[name] for name in names}} for row in rows],
    )


def _save_days(connection: Connection, days: Mapping[str, Sequence[EndpointDay]]) -> None:
    for keys in chunks(list(days)):
        query = select(_ENDPOINTS.c.key, _ENDPOINTS.c.id).where(_ENDPOINTS.c.key.in_(keys))
        ids = dict(connection.execute(query).all())
        given = {
            (ids[key], _FIRST_DAY + timedelta(days=row.day)): (
                row.requests,
                row.answered,
                row.status_5xx,
            )
            for key in keys
            for row in days[key]
        }
        asked = sorted({day for _, day in given})
        stored = select(_DAYS).where(
            _DAYS.c.endpoint_id.in_(ids.values()), _DAYS.c.day.between(asked[0], asked[-1])
        )
        known = {(row.endpoint_id, row.day): row[2:] for row in connection.execute(stored)}
        merged = {
            at: tuple(map(max, counts, known.get(at, counts))) for at, counts in given.items()
        }
        _write_days(connection, merged, known)


def _write_days(
    connection: Connection,
    rows: Mapping[tuple[int, date], Sequence[int]],
    known: Mapping[tuple[int, date], Sequence[int]],
) -> None:
    new = [
        {"endpoint_id": endpoint, "day": day, **dict(zip(_COUNTS, counts, strict=True))}
        for (endpoint, day), counts in rows.items()
        if (endpoint, day) not in known
    ]
    if new:
        connection.execute(insert(_DAYS), new)
    changed = [
        {"row": at[0], "on": at[1], **{f"new_{n}": c for n, c in zip(_COUNTS, counts, strict=True)}}
        for at, counts in rows.items()
        if at in known and tuple(known[at]) != tuple(counts)
    ]
    if changed:
        same = _DAYS.c.endpoint_id == bindparam("row"), _DAYS.c.day == bindparam("on")
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _COUNTS}
        connection.execute(update(_DAYS).where(*same).values(values), changed)


def _place(connection: Connection, identity: int) -> Sequence[Any]:
    """Return where an endpoint stands in the list."""
    found = connection.execute(select(*_ORDER).where(_ENDPOINTS.c.id == identity)).first()
    if found is None:
        raise NoSuchEndpointError(f"endpoint {identity} is gone")
    return tuple(found)


def _counted(
    connection: Connection, ids: Sequence[int], days: int | None
) -> dict[int, dict[str, int]]:
    """Return the counts of endpoints; those without any are left out."""
    sums = [func.sum(_DAYS.c[name]).label(name) for name in _COUNTS]
    query = select(_DAYS.c.endpoint_id, *sums).group_by(_DAYS.c.endpoint_id)
    if days is not None:
        newest = connection.execute(select(func.max(_DAYS.c.day))).scalar()
        if newest is not None:
            query = query.where(_DAYS.c.day > newest - timedelta(days=days))
    return {
        row["endpoint_id"]: {name: int(row[name]) for name in _COUNTS}
        for some in chunks(ids)
        for row in connection.execute(query.where(_DAYS.c.endpoint_id.in_(some))).mappings()
    }


def _stored(row: Mapping[str, Any]) -> StoredEndpoint:
    sets = {name: tuple(row[name]) for name in ("statuses", "authentication", "schemes")}
    return StoredEndpoint(**{**row, **sets})


def _time(time: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time)
