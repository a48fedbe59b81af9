"""Lists as queries that follow an index in its order, with as little as possible looked at twice.

A list by a detector, service, tag, stage or label reads that value's rows of `incident_terms`,
which are in the order of the list, and of each the incident. Where few incidents can be meant
anyway (open ones, of one entity, of one person) it is the other way round.

Queries are made once for each filter and remembered: making one takes longer than running it.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    bindparam,
    select,
    text,
    tuple_,
)

from alerts.database.models import SORTED, IncidentRow, TermRow, table_of
from alerts.incidents.views import IncidentView
from alerts.lists.filters import (
    IncidentFilter,
    conditions,
    named_so,
    same_incident,
    sort_keys,
    terms_of,
)
from alerts.lists.page_rows import read_views, written_together
from alerts.storage.terms import beginning, named, probe_of

#: Incidents, of those active last, whose whole text is looked through.
SCANNED: Final = 10_000

#: Rows of a value that are sorted rather than looked for in the order of a list.
FEW: Final = 5_000

#: Queries that are remembered.
REMEMBERED: Final = 256

#: Status of what is being worked on: there is little of it.
_IN_HAND: Final = frozenset({"open", "acknowledged"})

_INCIDENTS: Final = table_of(IncidentRow)
_TERMS: Final = table_of(TermRow)

_Values = dict[str, Any]


def found(
    connection: Connection, wanted: IncidentFilter, after: tuple[Any, ...] | None, limit: int
) -> Iterator[IncidentView]:
    """Yield incidents among which are the first `limit` wanted ones; some may come twice."""
    dialect = connection.dialect.name
    place = {f"after_{n}": value for n, value in enumerate(after or ())}
    for branch in wanted.branches():
        by_term = _by_term(connection, branch)
        for among, values in _amongs(connection, branch):
            query = query_for(dialect, branch, among, by_term=by_term, onwards=bool(after))
            given = {**place, **values, "most": limit}
            yield from read_views(connection.execute(query, given).scalar())


def by_one_statement(wanted: IncidentFilter) -> bool:
    """Whether `found` asks the database just once."""
    return len(wanted.branches()) == 1 and not wanted.text and not _counts_first(wanted)


@lru_cache(REMEMBERED)
def query_for(
    dialect: str, wanted: IncidentFilter, among: str, *, by_term: bool, onwards: bool
) -> Select[Any]:
    """Return the query for a page, as one text.

    `among` is "all", "recent" (active `since`) or "named" (whose numbers are among `older`);
    `onwards` those after the place that `after_0` and so on tell. `most` is how many.
    """
    severity = _TERMS.c.severity if by_term else _INCIDENTS.c.severity
    found = conditions(dialect, wanted, severity)
    if among == "recent":
        found.append(IncidentRow.last_at >= bindparam("since", type_=_INCIDENTS.c.last_at.type))
    if among == "named":
        found.append(IncidentRow.id.in_(bindparam("older", expanding=True)))
    query = _in_order(wanted, found, by_term=by_term, onwards=onwards)
    return written_together(query.limit(bindparam("most", type_=Integer)), dialect)


def _amongs(connection: Connection, wanted: IncidentFilter) -> Iterator[tuple[str, _Values]]:
    """Yield where to look, and the values that say so."""
    if not wanted.text:
        yield "all", {}
        return
    newest = select(_INCIDENTS.c.last_at).order_by(
        _INCIDENTS.c.last_at.desc(), _INCIDENTS.c.id.desc()
    )
    since = connection.execute(newest.offset(SCANNED).limit(1)).scalar()
    if since is None:
        yield "all", {}
        return
    yield "recent", {"since": since}
    probe = probe_of(wanted.text)
    if probe is not None:
        words = select(_TERMS.c.incident_id).where(*beginning(probe), _TERMS.c.last_at < since)
        latest = words.order_by(_TERMS.c.last_at.desc()).limit(FEW)
        older = connection.execute(latest).scalars().all()
        if older:
            yield "named", {"older": older}


def _in_order(
    wanted: IncidentFilter, found: list[ColumnElement[bool]], *, by_term: bool, onwards: bool
) -> Select[Any]:
    terms = terms_of(wanted)
    query: Select[Any] = select(_INCIDENTS).where(*found)
    keys: tuple[Any, ...] = sort_keys(wanted.sort)
    if by_term:
        kind, value = terms.pop(0)
        joined = _TERMS.join(_INCIDENTS, same_incident(_TERMS))
        query = query.select_from(joined).where(*named(kind, value), text(SORTED))
        if wanted.sort != "start":
            keys = (_TERMS.c.last_at, _TERMS.c.incident_id)
        if wanted.sort == "severity":
            keys = (_TERMS.c.severity, *keys)
    query = query.where(*(named_so(kind, value) for kind, value in terms))
    if onwards:
        after = (bindparam(f"after_{n}", type_=key.type) for n, key in enumerate(keys))
        query = query.where(tuple_(*keys) < tuple_(*after))
    return query.order_by(*(key.desc() for key in keys))


def _by_term(connection: Connection, wanted: IncidentFilter) -> bool:
    """Whether to read what the first value has, rather than look whether incidents have it."""
    terms = terms_of(wanted)
    if not terms or wanted.text:
        return False
    if _counts_first(wanted):
        few = select(_TERMS.c.incident_id).where(*named(*terms[0])).offset(FEW).limit(1)
        return connection.execute(few).first() is None
    return not (_in_hand(wanted) or wanted.entity or wanted.assignee or wanted.parent)


def _counts_first(wanted: IncidentFilter) -> bool:
    """Whether it depends on how many have a value what is read: no index has the order."""
    if not terms_of(wanted) or wanted.sort == "last":
        return False
    return wanted.sort == "start" or _in_hand(wanted)


def _in_hand(wanted: IncidentFilter) -> bool:
    return bool(wanted.statuses) and set(wanted.statuses) <= _IN_HAND
