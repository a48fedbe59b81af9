"""Questions about stored incidents: lists by cursor, and one with everything."""

import base64
import binascii
import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Select, exists, func, select, tuple_

from alerts.models import EvidenceRow, FindingRow, IncidentRow, TimelineRow, table_of
from alerts.rows import stored_evidence, stored_finding, stored_view
from alerts.safety import safe_name
from alerts.times import iso
from alerts.views import IncidentView, json_ready
from detectors.findings import Evidence, Finding, Level, Mode
from ingest.times import microseconds, moment

#: Incidents on one page at most.
PAGE_LIMIT: Final = 200

#: Paths that a detail names.
TOP_PATHS: Final = 10

T = TypeVar("T")


class CursorError(ValueError):
    """The cursor is not one that this query gave."""


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list; None does not restrict.

    `since` and `until` keep those that were active between the two. What was merged into
    another incident is left out, and unless `mode` says so, what is only monitored. Incidents
    that are part of one about many clients are left out, too, unless `parent` names that one or
    `include_members` is set.
    """

    status: str | None = None
    severity_min: Level | None = None
    entity_type: str | None = None
    entity: str | None = None
    detector: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    mode: Mode | Literal["any"] = "alert"
    parent: int | None = None
    include_members: bool = False

    def digest(self) -> str:
        """Name this filter in a cursor."""
        plain = json.dumps(json_ready(asdict(self)), sort_keys=True)
        return hashlib.sha256(plain.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list, and where the next page begins; None after the last."""

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Who did what to an incident, and when."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """One incident with all that is kept about it. `version` changes with every change of it."""

    incident: IncidentView
    version: int
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    timeline: tuple[TimelineEntry, ...]
    top_paths: tuple[tuple[str, int], ...]
    statuses: tuple[tuple[int, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON: the incident's own fields, then the rest."""
        return {
            **self.incident.to_dict(),
            "findings": [_finding_dict(finding) for finding in self.findings],
            "evidence": [json_ready(asdict(item)) for item in self.evidence],
            "timeline": [json_ready(asdict(entry)) for entry in self.timeline],
            "top_paths": [{"path": path, "count": count} for path, count in self.top_paths],
            "statuses": [{"status": code, "count": count} for code, count in self.statuses],
        }


def list_incidents(
    engine: Engine,
    wanted: IncidentFilter | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[IncidentView]:
    """Return a page of incidents, the last active first.

    What is added meanwhile comes before the first page and shifts nothing. Raises CursorError
    for a cursor of another filter or of nobody, ValueError for a limit not in 1..PAGE_LIMIT.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise ValueError(f"limit must be from 1 to {PAGE_LIMIT}")
    wanted = wanted or IncidentFilter()
    table = table_of(IncidentRow)
    query: Select[Any] = select(table).where(*_conditions(wanted))
    if cursor is not None:
        query = query.where(
            tuple_(IncidentRow.last_at, IncidentRow.id) < tuple_(*_decode(cursor, wanted))
        )
    query = query.order_by(IncidentRow.last_at.desc(), IncidentRow.id.desc()).limit(limit + 1)
    with engine.connect() as connection:
        rows = connection.execute(query).mappings().all()
    items = tuple(stored_view(row) for row in rows[:limit])
    more = len(rows) > limit
    return Page(items, _encode(items[-1].last_at, items[-1].id, wanted) if more else None)


def get_incident(engine: Engine, identity: int) -> IncidentDetail | None:
    """Return one incident with findings, evidence and timeline; None if there is none."""
    table = table_of(IncidentRow)
    with engine.connect() as connection:
        row = connection.execute(select(table).where(table.c.id == identity)).mappings().first()
        if row is None:
            return None
        evidence = _evidence(connection, identity)
        return IncidentDetail(
            incident=stored_view(row),
            version=row["version"],
            findings=_findings(connection, identity),
            evidence=evidence,
            timeline=_timeline(connection, identity),
            top_paths=_counted(e.path for e in evidence if e.path is not None),
            statuses=_counted(e.status for e in evidence if e.status is not None),
        )


def _conditions(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    # Not "is null": SQLite would take the index of that column, and sort all there is.
    conditions: list[ColumnElement[bool]] = [func.coalesce(IncidentRow.merged_into, 0) == 0]
    for column, value in (
        (IncidentRow.status, wanted.status),
        (IncidentRow.entity_type, wanted.entity_type),
        (IncidentRow.entity, None if wanted.entity is None else safe_name(wanted.entity)),
        (IncidentRow.mode, None if wanted.mode == "any" else wanted.mode),
        (IncidentRow.parent_id, wanted.parent),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.parent is None and not wanted.include_members:
        conditions.append(IncidentRow.parent_id.is_(None))
    if wanted.severity_min is not None:
        conditions.append(IncidentRow.severity >= int(wanted.severity_min))
    if wanted.since is not None:
        conditions.append(IncidentRow.last_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(IncidentRow.started_at <= wanted.until)
    if wanted.detector is not None:
        conditions.append(
            exists().where(
                FindingRow.incident_id == IncidentRow.id, FindingRow.detector == wanted.detector
            )
        )
    return conditions


def _encode(last_at: datetime, identity: int, wanted: IncidentFilter) -> str:
    at = microseconds(last_at)
    plain = f"{at}.{identity}.{wanted.digest()}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _decode(cursor: str, wanted: IncidentFilter) -> tuple[datetime, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
        at, identity, digest = plain.split(".")
        last_at = moment(int(at))
        number = int(identity)
    except (binascii.Error, ValueError, OverflowError) as error:
        raise CursorError("the cursor cannot be read; begin again without one") from error
    if digest != wanted.digest():
        raise CursorError("the cursor belongs to other filters; begin again without one")
    if not 0 <= number < 2**63:
        raise CursorError("the cursor cannot be read; begin again without one")
    return last_at, number


def _findings(connection: Connection, identity: int) -> tuple[Finding, ...]:
    table = table_of(FindingRow)
    query = (
        select(table)
        .where(table.c.incident_id == identity)
        .order_by(table.c["first"], table.c.detector, table.c.id)
    )
    return tuple(stored_finding(row) for row in connection.execute(query).mappings())


def _evidence(connection: Connection, identity: int) -> tuple[Evidence, ...]:
    table = table_of(EvidenceRow)
    query = (
        select(table)
        .where(table.c.incident_id == identity)
        .order_by(table.c.time, table.c.partition, table.c.position)
    )
    return tuple(stored_evidence(row) for row in connection.execute(query).mappings())


def _timeline(connection: Connection, identity: int) -> tuple[TimelineEntry, ...]:
    table = table_of(TimelineRow)
    query = select(table).where(table.c.incident_id == identity).order_by(table.c.at, table.c.id)
    return tuple(
        TimelineEntry(row["at"], row["actor"], row["action"], row["detail"])
        for row in connection.execute(query).mappings()
    )


def _counted(values: Iterable[T]) -> tuple[tuple[T, int], ...]:
    return tuple(Counter(values).most_common(TOP_PATHS))


def _finding_dict(finding: Finding) -> dict[str, Any]:
    return {
        "detector": finding.detector,
        "first": iso(finding.first),
        "last": iso(finding.last),
        "value": finding.value,
        "threshold": finding.threshold,
        "unit": finding.unit,
        "window_seconds": finding.window.total_seconds(),
        "level": finding.level.label,
        "mode": finding.mode,
        "tags": list(finding.tags),
        "fingerprint": finding.fingerprint,
    }
