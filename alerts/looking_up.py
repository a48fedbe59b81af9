"""Lists as queries that follow an index in its order, with as little as possible looked at twice.

A list by a detector, service, tag, stage or label reads that value's rows of `incident_terms`,
which are in the order of the list, and of each the incident. Where few incidents can be meant
anyway (open ones, of one entity, of one person) it is the other way round.
"""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, select, tuple_

from alerts.filters import (
    IncidentFilter,
    conditions,
    named_so,
    same_incident,
    sort_keys,
    terms_of,
)
from alerts.models import IncidentRow, TermRow, table_of
from alerts.terms import beginning, named, probe_of

#: Incidents, of those active last, whose whole text is looked through.
SCANNED: Final = 10_000

#: Rows of a value that are sorted rather than looked for in the order of a list.
FEW: Final = 5_000

#: Status of what is being worked on: there is little of it.
_IN_HAND: Final = frozenset({"open", "acknowledged"})

_INCIDENTS: Final = table_of(IncidentRow)
_TERMS: Final = table_of(TermRow)

_After = tuple[Any, ...] | None


def queries_for(
    connection: Connection, wanted: IncidentFilter, after: _After, limit: int
) -> Iterator[Select[Any]]:
    """Yield queries whose rows together begin with the first `limit` wanted incidents.

    Each gives at most so many, in the order of the filter, and some may give the same.
    """
    for branch in wanted.branches():
        found = conditions(connection, branch)
        if not branch.text:
            yield _in_order(connection, branch, found, after).limit(limit)
            continue
        horizon = select(_INCIDENTS.c.last_at).order_by(
            _INCIDENTS.c.last_at.desc(), _INCIDENTS.c.id.desc()
        )
        since = connection.execute(horizon.offset(SCANNED).limit(1)).scalar()
        recent = [] if since is None else [IncidentRow.last_at >= since]
        yield _in_order(connection, branch, [*found, *recent], after).limit(limit)
        probe = probe_of(branch.text)
        if since is not None and probe is not None:
            words = select(_TERMS.c.incident_id).where(*beginning(probe), _TERMS.c.last_at < since)
            newest = words.order_by(_TERMS.c.last_at.desc()).limit(FEW)
            older = connection.execute(newest).scalars().all()
            if not older:
                continue
            named = [*found, IncidentRow.id.in_(older)]
            yield _in_order(connection, branch, named, after).limit(limit)


def _in_order(
    connection: Connection, wanted: IncidentFilter, found: list[ColumnElement[bool]], after: _After
) -> Select[Any]:
    terms = terms_of(wanted)
    query: Select[Any] = select(_INCIDENTS).where(*found)
    keys: tuple[Any, ...] = sort_keys(wanted.sort)
    if terms and not wanted.text and _by_term(connection, wanted):
        kind, value = terms.pop(0)
        query = query.select_from(_TERMS.join(_INCIDENTS, same_incident(_TERMS))).where(
            *named(kind, value)
        )
        if wanted.sort == "last":
            keys = (_TERMS.c.last_at, _TERMS.c.incident_id)
    query = query.where(*(named_so(kind, value) for kind, value in terms))
    if after is not None:
        query = query.where(tuple_(*keys) < tuple_(*after))
    return query.order_by(*(key.desc() for key in keys))


def _by_term(connection: Connection, wanted: IncidentFilter) -> bool:
    """Whether to read what the first value has, rather than look whether incidents have it."""
    if wanted.sort != "last":
        kind, value = terms_of(wanted)[0]
        few = select(_TERMS.c.incident_id).where(*named(kind, value)).offset(FEW).limit(1)
        return connection.execute(few).first() is None
    if connection.dialect.name == "postgresql":
        return True  # it knows how much there is of each, and reads what is less
    in_hand = wanted.statuses and set(wanted.statuses) <= _IN_HAND
    return not (in_hand or wanted.entity or wanted.assignee or wanted.parent)
