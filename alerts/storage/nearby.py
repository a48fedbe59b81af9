"""What is stored near new findings: the incidents that they may extend or join."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection, RowMapping, select

from alerts.database.models import EvidenceRow, FindingRow, IncidentRow, MemberRow, table_of
from alerts.database.statements import chunks
from alerts.incidents.content import INCIDENT_GAP, Content
from alerts.incidents.lifecycle import State
from alerts.storage.rows import stored_content, stored_evidence, stored_finding, stored_state
from detectors.findings import Evidence, Finding

#: An entity: its type and its name.
Entity = tuple[str, str]


@dataclass(slots=True)
class StoredIncident:
    """An incident as the database has it, with its findings by row and its evidence."""

    id: int
    version: int
    content: Content
    state: State
    parent_id: int | None
    findings: dict[int, Finding] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)


def load_nearby(
    connection: Connection, runs: dict[Entity, list[Finding]]
) -> dict[Entity, list[StoredIncident]]:
    """Return the incidents that the runs of each entity may touch, whole.

    A run reaches back and ahead by INCIDENT_GAP or, to the finding it may extend, by its own
    window. Whatever lies between the two is within the longer of them, or in that finding's own
    incident.
    """
    by_type: dict[str, list[str]] = defaultdict(list)
    for entity_type, entity in runs:
        by_type[entity_type].append(entity)
    found: dict[int, StoredIncident] = {}
    for entity_type, entities in by_type.items():
        for chunk in chunks(entities):
            spans = {entity: _reach(runs[entity_type, entity]) for entity in chunk}
            query = select(table_of(IncidentRow)).where(
                IncidentRow.entity_type == entity_type,
                IncidentRow.entity.in_(chunk),
                IncidentRow.last_at >= min(first for first, _ in spans.values()),
                IncidentRow.started_at <= max(last for _, last in spans.values()),
                IncidentRow.merged_into.is_(None),
            )
            for row in connection.execute(query).mappings():
                first, last = spans[row["entity"]]
                if row["last_at"] >= first and row["started_at"] <= last:
                    found[row["id"]] = _bare(row)
    _complete(connection, found)
    grouped: dict[Entity, list[StoredIncident]] = defaultdict(list)
    for incident in found.values():
        grouped[incident.content.entity_type, incident.content.entity].append(incident)
    return grouped


def load_incidents(connection: Connection, identities: Sequence[int]) -> list[StoredIncident]:
    """Return these incidents, whole."""
    table = table_of(IncidentRow)
    found: dict[int, StoredIncident] = {}
    for chunk in chunks(identities):
        query = select(table).where(table.c.id.in_(chunk))
        found |= {row["id"]: _bare(row) for row in connection.execute(query).mappings()}
    _complete(connection, found)
    return list(found.values())


def _bare(row: RowMapping) -> StoredIncident:
    return StoredIncident(
        row["id"], row["version"], stored_content(row), stored_state(row), row["parent_id"]
    )


def _complete(connection: Connection, found: dict[int, StoredIncident]) -> None:
    _load_findings(connection, found)
    _load_evidence(connection, found)


def _reach(runs: Sequence[Finding]) -> tuple[datetime, datetime]:
    reach = max(INCIDENT_GAP, *(run.window for run in runs))
    return min(run.first for run in runs) - reach, max(run.last for run in runs) + reach


def _load_findings(connection: Connection, found: dict[int, StoredIncident]) -> None:
    counting: dict[int, int] = {}
    for chunk in chunks(list(found)):
        query = select(table_of(FindingRow)).where(FindingRow.incident_id.in_(chunk))
        for row in connection.execute(query).mappings():
            found[row["incident_id"]].findings[row["id"]] = stored_finding(row)
            if row["member_count"]:
                counting[row["id"]] = row["incident_id"]
    for identity, members in _members(connection, list(counting)).items():
        findings = found[counting[identity]].findings
        findings[identity] = replace(findings[identity], members=frozenset(members))


def _members(connection: Connection, findings: list[int]) -> dict[int, list[str]]:
    members: dict[int, list[str]] = defaultdict(list)
    for chunk in chunks(findings):
        query = select(MemberRow.finding_id, MemberRow.client).where(
            MemberRow.finding_id.in_(chunk)
        )
        for finding, client in connection.execute(query):
            members[finding].append(client)
    return members


def _load_evidence(connection: Connection, found: dict[int, StoredIncident]) -> None:
    for chunk in chunks(list(found)):
        query = select(table_of(EvidenceRow)).where(EvidenceRow.incident_id.in_(chunk))
        for row in connection.execute(query).mappings():
            found[row["incident_id"]].evidence.append(stored_evidence(row))
