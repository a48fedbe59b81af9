"""Questions about stored incidents: lists by cursor, and one with everything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sqlalchemy import Connection, Engine, func, select

from alerts.database.models import (
    DeliveryRow,
    EvidenceRow,
    FindingRow,
    IncidentRow,
    NotificationRow,
    TimelineRow,
    table_of,
)
from alerts.database.opening import for_one_statement
from alerts.database.statements import chunks
from alerts.incidents.story import story
from alerts.incidents.views import IncidentView
from alerts.lists.cursors import CursorError, cursor_after, place_of, read_cursor
from alerts.lists.details import Geo, IncidentDetail, Telling, TimelineEntry
from alerts.lists.filters import IncidentFilter
from alerts.lists.looking_up import by_one_statement, found
from alerts.lists.related import related_to
from alerts.storage.rows import stored_evidence, stored_finding, stored_view
from detectors.findings import Evidence, Finding

__all__ = [
    "PAGE_LIMIT",
    "CursorError",
    "IncidentDetail",
    "IncidentFilter",
    "Page",
    "TimelineEntry",
    "get_incident",
    "list_incidents",
    "places_of",
    "versions_of",
]

#: Incidents on one page at most.
PAGE_LIMIT: Final = 200

#: Notifications about one incident that its detail tells of, the last ones.
TELLING_LIMIT: Final = 100

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, and where the next page begins; None after the last."""

    items: tuple[T, ...]
    next_cursor: str | None


def list_incidents(
    engine: Engine,
    wanted: IncidentFilter | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[IncidentView]:
    """Return a page of incidents, in the order that the filter says: the last active first.

    What is added meanwhile comes before the first page and shifts nothing. Raises CursorError
    for a cursor of another filter or of nobody, ValueError for a limit not in 1..PAGE_LIMIT.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise ValueError(f"limit must be from 1 to {PAGE_LIMIT}")
    wanted = wanted or IncidentFilter()
    after = None if cursor is None else read_cursor(cursor, wanted)
    looking = for_one_statement(engine) if by_one_statement(wanted) else engine
    with looking.connect() as connection:
        every = {view.id: view for view in found(connection, wanted, after, limit + 1)}
    views = sorted(every.values(), key=lambda view: place_of(view, wanted.sort), reverse=True)
    items = tuple(views[:limit])
    more = len(views) > limit
    return Page(items, cursor_after(items[-1], wanted) if more else None)


def get_incident(
    engine: Engine, identity: int, *, surroundings: bool = True
) -> IncidentDetail | None:
    """Return one incident with everything about it; None if there is none.

    Without `surroundings` what it has to do with and who was told are left out.
    """
    table = table_of(IncidentRow)
    with engine.connect() as connection:
        row = connection.execute(select(table).where(table.c.id == identity)).mappings().first()
        if row is None:
            return None
        incident = stored_view(row)
        findings = _findings(connection, identity)
        evidence = _evidence(connection, identity)
        return IncidentDetail(
            incident=incident,
            version=row["version"],
            story=story(findings),
            findings=findings,
            evidence=evidence,
            timeline=_timeline(connection, identity),
            related=related_to(connection, incident, evidence) if surroundings else (),
            deliveries=_tellings(connection, identity) if surroundings else (),
        )


def versions_of(engine: Engine, views: Sequence[IncidentView]) -> dict[int, int]:
    """Return the version of each incident that still is as it is shown here; others are left out.

    Who changes what somebody saw in a list needs the version of that.
    """
    table = table_of(IncidentRow)
    shown = {view.id: view for view in views}
    versions: dict[int, int] = {}
    with engine.connect() as connection:
        for chunk in chunks(list(shown)):
            rows = connection.execute(select(table).where(table.c.id.in_(chunk))).mappings()
            versions |= {
                row["id"]: row["version"] for row in rows if stored_view(row) == shown[row["id"]]
            }
    return versions


def places_of(engine: Engine, identities: Sequence[int]) -> dict[int, Geo]:
    """Return where the requests behind each of some incidents came from."""
    table = table_of(EvidenceRow)
    places: dict[int, list[tuple[str | None, int | None]]] = {each: [] for each in identities}
    with engine.connect() as connection:
        for chunk in chunks(identities):
            query = select(table.c.incident_id, table.c.country, table.c.asn)
            query = query.where(table.c.incident_id.in_(chunk)).order_by(table.c.time, table.c.id)
            for identity, country, asn in connection.execute(query):
                places[identity].append((country, asn))
    return {identity: Geo.of(found) for identity, found in places.items()}


def _findings(connection: Connection, identity: int) -> tuple[Finding, ...]:
    table = table_of(FindingRow)
    query = select(table).where(table.c.incident_id == identity)
    # Sorted here: each database has an order of names of its own.
    rows = sorted(
        connection.execute(query).mappings(),
        key=lambda row: (row["first"], row["detector"], row["id"]),
    )
    return tuple(map(stored_finding, rows))


def _evidence(connection: Connection, identity: int) -> tuple[Evidence, ...]:
    table = table_of(EvidenceRow)
    query = select(table).where(table.c.incident_id == identity)
    rows = sorted(
        connection.execute(query).mappings(),
        key=lambda row: (row["time"], row["partition"], row["position"]),
    )
    return tuple(map(stored_evidence, rows))


def _timeline(connection: Connection, identity: int) -> tuple[TimelineEntry, ...]:
    table = table_of(TimelineRow)
    query = select(table).where(table.c.incident_id == identity).order_by(table.c.at, table.c.id)
    return tuple(
        TimelineEntry(row["at"], row["actor"], row["action"], row["detail"])
        for row in connection.execute(query).mappings()
    )


def _tellings(connection: Connection, identity: int) -> tuple[Telling, ...]:
    told, message = table_of(NotificationRow), table_of(DeliveryRow)
    query = (
        select(
            told.c.target,
            told.c.transition,
            told.c.route,
            told.c.state,
            told.c.reason,
            told.c.created_at,
            told.c.due_at,
            told.c.delivery_id.label("delivery"),
            func.coalesce(message.c.attempts, 0).label("attempts"),
            message.c.sent_at,
            message.c.last_error.label("error"),
        )
        .join_from(told, message, message.c.id == told.c.delivery_id, isouter=True)
        .where(told.c.incident_id == identity)
        .order_by(told.c.id.desc())
        .limit(TELLING_LIMIT)
    )
    rows = connection.execute(query).mappings().all()
    return tuple(Telling(**row) for row in reversed(rows))
