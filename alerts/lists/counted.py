"""What the findings of an incident counted over time, against their limits."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Final

from sqlalchemy import Engine, select

from alerts.database.models import FindingRow, IncidentRow, table_of
from alerts.storage.rows import stored_finding
from detectors.curves import Point
from detectors.findings import Finding

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CountedPoint:
    """A value and its limit, in a slot of time that ends `at`; `expected` by a learned detector."""

    at: datetime
    value: int
    threshold: int
    expected: int | None


@dataclass(frozen=True, slots=True)
class Counted:
    """What one detector counted in an incident: values over its limit, in order of time.

    At most 120 points, each the greatest of its stretch of time: so the greatest is always there.
    """

    detector: str
    unit: str
    window_seconds: float
    points: tuple[CountedPoint, ...]


def counted(engine: Engine, incident_id: int) -> tuple[Counted, ...] | None:
    """Return what was counted, the detector first that found something first; None: no such one."""
    with engine.connect() as connection:
        known = select(IncidentRow.id).where(IncidentRow.id == incident_id)
        if connection.execute(known).first() is None:
            return None
        table = table_of(FindingRow)
        query = select(table).where(table.c.incident_id == incident_id)
        ordered = query.order_by(table.c.first, table.c.detector, table.c.id)
        rows = connection.execute(ordered).mappings().all()
    by_detector: dict[str, list[Finding]] = defaultdict(list)
    for row in rows:
        by_detector[row["detector"]].append(stored_finding(row))
    return tuple(_of(detector, findings) for detector, findings in by_detector.items())


def _of(detector: str, findings: list[Finding]) -> Counted:
    whole = reduce(or_, (finding.drawn for finding in findings))
    window = max(finding.window for finding in findings)
    points = tuple(map(_point, whole.points))
    return Counted(detector, findings[0].unit, window.total_seconds(), points)


def _point(point: Point) -> CountedPoint:
    at = _EPOCH + timedelta(microseconds=point.at)
    return CountedPoint(at, point.value, point.threshold, point.expected)
