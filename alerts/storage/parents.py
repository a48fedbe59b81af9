"""Roll-up in the database: the parents of incidents about clients, after some have changed.

Read are only incidents that changed, those about members of a changed parent, near in time, and
the parents that count any of them; each in statements about many at once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, select, update

from alerts.database.models import FindingRow, IncidentRow, MemberRow, table_of
from alerts.database.statements import chunks
from alerts.incidents.lifecycle import Step
from alerts.incidents.rollup import (
    SLACK_LIMIT,
    Member,
    Parent,
    Scope,
    choose,
    own_extent,
    reach_of,
    scope_of,
    united,
)
from alerts.storage.plan import Plan
from alerts.storage.rows import stored_finding
from alerts.storage.writing import write_timeline
from detectors.findings import Finding

_MEMBER_COLUMNS = (IncidentRow.id, IncidentRow.entity, IncidentRow.last_at, IncidentRow.parent_id)

#: What incidents must be to take part.
_TAKES_PART = (IncidentRow.merged_into.is_(None), IncidentRow.mode == "alert")


@dataclass(frozen=True, slots=True)
class Move:
    """An incident about a client that became part of another, or ceased to be."""

    id: int
    before: int | None
    now: int | None
    at: datetime

    @property
    def step(self) -> Step | None:
        """What the timeline says of it: nothing of a change from one parent to another."""
        if self.before is None:
            return Step("rolled_up", self.at, None, {"into": self.now})
        return Step("detached", self.at, None, {"from": self.before}) if self.now is None else None


def roll_up(connection: Connection, placed: Sequence[tuple[int, Plan]]) -> list[Move]:
    """Give incidents about clients the parents that they should have now; return what changed.

    `placed` are the incidents as just written. Those that did not change, and are no members of
    one that did, have the right parent already.
    """
    members = _changed(placed)
    members += _others(connection, placed, {member.id for member in members})
    counting = _counting(connection, members)
    parents = _parents(connection, {parent for found in counting.values() for parent in found})
    moves: list[Move] = []
    for member in members:
        now = choose(member, [parents[identity] for identity in counting.get(member.client, ())])
        if now != member.parent_id:
            moves.append(Move(member.id, member.parent_id, now, member.last_at))
    _write(connection, moves)
    write_timeline(connection, [(move.id, move.step) for move in moves if move.step])
    return moves


def _changed(placed: Iterable[tuple[int, Plan]]) -> list[Member]:
    """Return the incidents about clients of which the deciding part changed."""
    changed: list[Member] = []
    for identity, plan in placed:
        content, elder = plan.content, plan.elder
        if content.entity_type != "client":
            continue
        extent = own_extent(plan.findings)
        if elder is None or extent != own_extent(elder.findings.values()):
            parent = elder.parent_id if elder else None
            changed.append(Member(identity, content.entity, content.last_at, extent, parent))
    return changed


def _others(
    connection: Connection, placed: Iterable[tuple[int, Plan]], known: Collection[int]
) -> list[Member]:
    """Return the incidents that did not change, but whose parent may be another one now."""
    grown: dict[int, Scope] = {}
    left: list[int] = []
    for identity, plan in placed:
        if plan.content.entity_type == "client":
            continue
        before = scope_of(plan.elder.findings.values()) if plan.elder else None
        now = scope_of(plan.findings)
        left += [incident.id for incident in plan.younger if scope_of(incident.findings.values())]
        if before is not None and (now is None or not now.keeps(before)):
            left.append(identity)
        if now is not None and now != before:
            grown[identity] = now
    rows = [*_children(connection, left), *_countable(connection, grown)]
    unchanged = {row["id"]: row for row in rows if row["id"] not in known}
    findings = _alerting(connection, list(unchanged))
    return [
        Member(
            row["id"],
            row["entity"],
            row["last_at"],
            own_extent(findings[identity]),
            row["parent_id"],
        )
        for identity, row in unchanged.items()
    ]


def _children(connection: Connection, parents: Sequence[int]) -> list[RowMapping]:
    rows: list[RowMapping] = []
    for chunk in chunks(parents):
        query = select(*_MEMBER_COLUMNS).where(IncidentRow.parent_id.in_(chunk))
        rows += connection.execute(query).mappings()
    return rows


def _countable(connection: Connection, scopes: dict[int, Scope]) -> list[RowMapping]:
    """Return incidents about members of the parents, near in time, that may be others' parts."""
    rows: list[RowMapping] = []
    for chunk in chunks(list(scopes)):
        extents = [scopes[identity].extent for identity in chunk]
        # As a subquery: SQLite, which counts nothing beforehand, would begin a join with the
        # incidents of all clients.
        clients = (
            select(MemberRow.client)
            .join(FindingRow, FindingRow.id == MemberRow.finding_id)
            .where(FindingRow.incident_id.in_(chunk), FindingRow.mode == "alert")
        )
        query = select(*_MEMBER_COLUMNS).where(
            IncidentRow.entity_type == "client",
            IncidentRow.entity.in_(clients),
            IncidentRow.last_at >= min(extent.first for extent in extents),
            IncidentRow.started_at <= max(extent.last for extent in extents),
            *_TAKES_PART,
        )
        if len(chunk) == 1:
            query = query.where(IncidentRow.parent_id.is_distinct_from(chunk[0]))
        rows += connection.execute(query).mappings()
    return rows


def _counting(connection: Connection, members: Sequence[Member]) -> dict[str, set[int]]:
    """Return which incidents count the clients of these, near them in time."""
    extents = [member.extent for member in members if member.extent]
    clients = sorted({member.client for member in members if member.extent})
    findings: dict[int, list[str]] = defaultdict(list)
    for chunk in chunks(clients):
        query = select(MemberRow.finding_id, MemberRow.client).where(MemberRow.client.in_(chunk))
        for finding, client in connection.execute(query):
            findings[finding].append(client)
    counting: dict[str, set[int]] = defaultdict(set)
    for found in chunks(list(findings)):
        near = (
            select(FindingRow.id, FindingRow.incident_id)
            .join(IncidentRow, IncidentRow.id == FindingRow.incident_id)
            .where(
                FindingRow.id.in_(found),
                FindingRow.mode == "alert",
                IncidentRow.last_at >= min(e.first for e in extents) - SLACK_LIMIT,
                IncidentRow.started_at <= max(e.last for e in extents) + SLACK_LIMIT,
                *_TAKES_PART,
            )
        )
        for finding, incident in connection.execute(near):
            for client in findings[finding]:
                counting[client].add(incident)
    return counting


def _parents(connection: Connection, identities: Collection[int]) -> dict[int, Parent]:
    parents: dict[int, Parent] = {}
    for chunk in chunks(sorted(identities)):
        findings = _alerting(connection, chunk, FindingRow.member_count > 0)
        table = table_of(IncidentRow)
        query = select(table).where(table.c.id.in_(chunk))
        for row in connection.execute(query).mappings():
            extent = united(map(reach_of, findings[row["id"]]))
            if extent is not None:
                parents[row["id"]] = Parent(
                    row["id"],
                    row["entity_type"],
                    row["entity"],
                    row["member_count"],
                    row["started_at"],
                    extent,
                )
    return parents


def _alerting(
    connection: Connection, incidents: Sequence[int], *conditions: ColumnElement[bool]
) -> dict[int, list[Finding]]:
    found: dict[int, list[Finding]] = defaultdict(list)
    for chunk in chunks(incidents):
        query: Select[Any] = select(table_of(FindingRow)).where(
            FindingRow.incident_id.in_(chunk), FindingRow.mode == "alert", *conditions
        )
        for row in connection.execute(query).mappings():
            found[row["incident_id"]].append(stored_finding(row))
    return found


def _write(connection: Connection, moves: Iterable[Move]) -> None:
    by_parent: dict[int | None, list[int]] = defaultdict(list)
    for move in moves:
        by_parent[move.now].append(move.id)
    for parent, moved in by_parent.items():
        for chunk in chunks(moved):
            connection.execute(
                update(IncidentRow)
                .where(IncidentRow.id.in_(chunk))
                .values(parent_id=parent, version=IncidentRow.version + 1)
            )
