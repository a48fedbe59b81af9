"""What is known of one entity: its incidents, where it came from, what it asked for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, case, func, select

from alerts.database.models import EvidenceRow, FindingRow, IncidentRow, MemberRow, table_of
from alerts.database.safety import safe_name
from alerts.incidents.views import IncidentView
from alerts.lists.details import Geo
from alerts.lists.filters import IncidentFilter, without
from alerts.lists.queries import list_incidents
from detectors.findings import EntityType, Level

#: Incidents that are shown of an entity, and rows of evidence that are counted, the newest.
INCIDENTS: Final = 50
EVIDENCE: Final = 2_000
TOP: Final = 10

_OPEN: Final = ("open", "acknowledged")

_INCIDENTS: Final = table_of(IncidentRow)
_EVIDENCE: Final = table_of(EvidenceRow)
_FINDINGS: Final = table_of(FindingRow)
_MEMBERS: Final = table_of(MemberRow)


@dataclass(frozen=True, slots=True)
class Counted:
    """A name and how often."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity with incidents. `part_of` are incidents about many clients that it is one of.

    `paths`, `statuses` and `geo` are counted over the newest evidence of its incidents.
    """

    entity_type: str
    entity: str
    incident_count: int
    open_count: int
    first_at: datetime
    last_at: datetime
    severity: str
    detectors: tuple[Counted, ...]
    paths: tuple[Counted, ...]
    statuses: tuple[Counted, ...]
    geo: Geo
    incidents: tuple[IncidentView, ...]
    part_of: tuple[int, ...]


def entity_of(engine: Engine, entity_type: EntityType, entity: str) -> Entity | None:
    """Return what is known of an entity; None if no incident is about it."""
    name = safe_name(entity)
    wanted = IncidentFilter(
        entity_type=entity_type, entity=entity, mode="any", include_members=True
    )
    with engine.connect() as connection:
        mine = (
            _INCIDENTS.c.entity_type == entity_type,
            _INCIDENTS.c.entity == name,
            without(connection.dialect.name, IncidentRow.merged_into),
        )
        row = connection.execute(
            select(
                func.count(),
                func.sum(case((_INCIDENTS.c.status.in_(_OPEN), 1), else_=0)),
                func.min(_INCIDENTS.c.started_at),
                func.max(_INCIDENTS.c.last_at),
                func.max(_INCIDENTS.c.severity),
            ).where(*mine)
        ).one()
        if not row[0]:
            return None
        newest = select(_INCIDENTS.c.id).where(*mine).order_by(_INCIDENTS.c.last_at.desc())
        numbers = connection.execute(newest.limit(INCIDENTS)).scalars().all()
        paths, statuses, geo = _requests(connection, numbers)
        detectors = _detectors(connection, numbers)
        part_of = _part_of(connection, name) if entity_type == "client" else ()
    return Entity(
        entity_type=entity_type,
        entity=name,
        incident_count=row[0],
        open_count=row[1],
        first_at=row[2],
        last_at=row[3],
        severity=Level(row[4]).label,
        detectors=detectors,
        paths=paths,
        statuses=statuses,
        geo=geo,
        incidents=list_incidents(engine, wanted, limit=INCIDENTS).items,
        part_of=part_of,
    )


def _requests(
    connection: Connection, numbers: Sequence[int]
) -> tuple[tuple[Counted, ...], tuple[Counted, ...], Geo]:
    query = (
        select(_EVIDENCE.c.path, _EVIDENCE.c.status, _EVIDENCE.c.country, _EVIDENCE.c.asn)
        .where(_EVIDENCE.c.incident_id.in_(numbers))
        .order_by(_EVIDENCE.c.time.desc(), _EVIDENCE.c.id.desc())
        .limit(EVIDENCE)
    )
    rows = connection.execute(query).all()
    paths = _top(Counter(row.path for row in rows if row.path is not None))
    statuses = _top(Counter(str(row.status) for row in rows if row.status is not None))
    return paths, statuses, Geo.of((row.country, row.asn) for row in rows)


def _detectors(connection: Connection, numbers: Sequence[int]) -> tuple[Counted, ...]:
    query = (
        select(_FINDINGS.c.detector, func.count())
        .where(_FINDINGS.c.incident_id.in_(numbers))
        .group_by(_FINDINGS.c.detector)
    )
    return _top(Counter(dict(connection.execute(query).all())))


def _part_of(connection: Connection, client: str) -> tuple[int, ...]:
    query = (
        select(_FINDINGS.c.incident_id)
        .join_from(_MEMBERS, _FINDINGS, _FINDINGS.c.id == _MEMBERS.c.finding_id)
        .where(_MEMBERS.c.client == client)
        .distinct()
        .order_by(_FINDINGS.c.incident_id.desc())
        .limit(INCIDENTS)
    )
    return tuple(connection.execute(query).scalars())


def _top(counter: Counter[str]) -> tuple[Counted, ...]:
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Counted(name, count) for name, count in ordered[:TOP])
