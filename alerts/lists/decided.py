"""Incidents with their findings, and what people decided about them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, and_, or_, select

from alerts.database.models import EvidenceRow, FindingRow, IncidentRow, table_of
from alerts.database.statements import chunks
from alerts.storage.rows import stored_finding
from detectors.findings import Finding

#: Resolutions that say whether there was an attack.
ATTACK: Final = frozenset({"true_positive", "mitigated"})
HARMLESS: Final = frozenset({"false_positive", "benign"})

#: Incidents that are looked at at most, those that were active last.
NEWEST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Decided:
    """An incident with its findings, and what people called it; None if nobody said anything.

    `paths` are those of its evidence, by how often.
    """

    id: int
    entity_type: str
    entity: str
    members: tuple[str, ...]
    resolution: str | None
    started_at: datetime
    last_at: datetime
    summary: str
    findings: tuple[Finding, ...] = field(repr=False)
    paths: Mapping[str, int] = field(repr=False)

    @property
    def attack(self) -> bool:
        """Whether people called it an attack."""
        return self.resolution in ATTACK

    @property
    def harmless(self) -> bool:
        """Whether people called it harmless."""
        return self.resolution in HARMLESS


def decided_incidents(engine: Engine, *, undecided: bool = False) -> list[Decided]:
    """Return what people decided, the oldest first: the NEWEST that were active last.

    With `undecided` the others, too, as far as people are told of them by themselves.
    """
    with engine.connect() as connection:
        incidents = _incidents(connection, undecided=undecided)
        numbers = [row["id"] for row in incidents]
        findings = _findings(connection, numbers)
        paths = _paths(connection, numbers)
    found = [
        Decided(
            id=row["id"],
            entity_type=row["entity_type"],
            entity=row["entity"],
            members=tuple(row["members"]),
            resolution=row["resolution"],
            started_at=row["started_at"],
            last_at=row["last_at"],
            summary=row["summary"],
            findings=tuple(findings[row["id"]]),
            paths=paths[row["id"]],
        )
        for row in incidents
    ]
    return sorted(found, key=lambda each: (each.started_at, each.id))


def _incidents(connection: Connection, *, undecided: bool) -> Sequence[RowMapping]:
    table = table_of(IncidentRow)
    wanted: ColumnElement[bool] = table.c.resolution.in_(sorted(ATTACK | HARMLESS))
    if undecided:
        nobody = table.c.resolution.is_(None), table.c.parent_id.is_(None)
        wanted = or_(wanted, and_(*nobody, table.c.mode == "alert"))
    query = (
        select(table)
        .where(wanted, table.c.merged_into.is_(None))
        .order_by(table.c.last_at.desc(), table.c.id.desc())
        .limit(NEWEST)
    )
    return connection.execute(query).mappings().all()


def _findings(connection: Connection, numbers: Sequence[int]) -> dict[int, list[Finding]]:
    found: dict[int, list[Finding]] = defaultdict(list)
    table = table_of(FindingRow)
    for chunk in chunks(numbers):
        query = select(table).where(table.c.incident_id.in_(chunk)).order_by(table.c.id)
        for row in connection.execute(query).mappings():
            found[row["incident_id"]].append(stored_finding(row))
    return found


def _paths(connection: Connection, numbers: Sequence[int]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for chunk in chunks(numbers):
        query = select(EvidenceRow.incident_id, EvidenceRow.path).where(
            EvidenceRow.incident_id.in_(chunk)
        )
        for number, path in connection.execute(query):
            if path is not None:
                found[number][path] = found[number].get(path, 0) + 1
    return found
