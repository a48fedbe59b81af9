"""Incidents and all their rows deleted; within the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, Self

from sqlalchemy import Connection, delete, exists, select, update

from alerts.database.models import (
    DeliveryAttemptRow,
    DeliveryRow,
    EvidenceRow,
    FindingRow,
    IncidentRow,
    MemberRow,
    NotificationRow,
    TimelineRow,
    table_of,
)
from alerts.database.statements import chunks
from alerts.storage.terms import drop_terms
from alerts.storage.tombstones import Reason, Tombstones

_INCIDENTS: Final = table_of(IncidentRow)
_NOTIFICATIONS: Final = table_of(NotificationRow)


@dataclass(frozen=True, slots=True)
class Deleted:
    """How many rows of each kind are gone."""

    incidents: int = 0
    findings: int = 0
    members: int = 0
    evidence: int = 0
    timeline: int = 0
    notifications: int = 0
    deliveries: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def delete_incidents(
    connection: Connection,
    identities: Sequence[int],
    tombstones: Tombstones,
    reason: Reason,
    now: datetime,
) -> Deleted:
    """Delete incidents, those that became part of them, and the rows of all; leave tombstones.

    Incidents about clients that were part of one that goes stand for themselves again; nobody is
    told. Deliveries go when none of their notifications is left.
    """
    deleted = Deleted()
    for chunk in chunks(_with_merged(connection, identities)):
        deleted += _delete(connection, chunk, tombstones, reason, now)
    return deleted


def _with_merged(connection: Connection, identities: Sequence[int]) -> list[int]:
    """Return the incidents in an order in which they can be deleted: merged ones first."""
    found = list(dict.fromkeys(identities))
    known = set(found)
    latest = found
    while latest:
        merged: list[int] = []
        for chunk in chunks(latest):
            query = select(_INCIDENTS.c.id).where(_INCIDENTS.c.merged_into.in_(chunk))
            merged += connection.execute(query).scalars()
        latest = [identity for identity in merged if identity not in known]
        known.update(latest)
        found += latest
    return found[::-1]


def _delete(
    connection: Connection,
    incidents: Sequence[int],
    tombstones: Tombstones,
    reason: Reason,
    now: datetime,
) -> Deleted:
    gone = _INCIDENTS.c.id.in_(incidents)
    query = select(
        _INCIDENTS.c.id,
        _INCIDENTS.c.entity_type,
        _INCIDENTS.c.entity,
        _INCIDENTS.c.started_at,
        _INCIDENTS.c.last_at,
    ).where(gone)
    tombstones.bury(connection, [tuple(row) for row in connection.execute(query)], reason, now)
    for column in ("parent_id", "merged_into"):
        refers = _INCIDENTS.c[column].in_(incidents)
        connection.execute(
            update(_INCIDENTS)
            .where(refers)
            .values({column: None, "version": _INCIDENTS.c.version + 1})
        )
    drop_terms(connection, incidents)
    deliveries = _deliveries_of(connection, incidents)
    findings = select(FindingRow.id).where(FindingRow.incident_id.in_(incidents))
    members = delete(MemberRow).where(MemberRow.finding_id.in_(findings))
    counts = {"members": connection.execute(members).rowcount}
    for kind, table in (
        ("findings", table_of(FindingRow)),
        ("evidence", table_of(EvidenceRow)),
        ("timeline", table_of(TimelineRow)),
        ("notifications", _NOTIFICATIONS),
    ):
        statement = delete(table).where(table.c.incident_id.in_(incidents))
        counts[kind] = connection.execute(statement).rowcount
    counts["deliveries"] = delete_deliveries(connection, deliveries)
    counts["incidents"] = connection.execute(delete(_INCIDENTS).where(gone)).rowcount
    return Deleted(**counts)


def _deliveries_of(connection: Connection, incidents: Sequence[int]) -> Sequence[int]:
    query = (
        select(_NOTIFICATIONS.c.delivery_id)
        .where(
            _NOTIFICATIONS.c.incident_id.in_(incidents), _NOTIFICATIONS.c.delivery_id.is_not(None)
        )
        .distinct()
    )
    return connection.execute(query).scalars().all()


def delete_deliveries(connection: Connection, identities: Sequence[int]) -> int:
    """Delete those of these deliveries that no notification went with; return how many."""
    deliveries, attempts = table_of(DeliveryRow), table_of(DeliveryAttemptRow)
    deleted = 0
    for chunk in chunks(identities):
        used = exists().where(_NOTIFICATIONS.c.delivery_id == deliveries.c.id)
        query = select(deliveries.c.id).where(deliveries.c.id.in_(chunk), ~used)
        unused = connection.execute(query).scalars().all()
        connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(unused)))
        statement = delete(deliveries).where(deliveries.c.id.in_(unused))
        deleted += connection.execute(statement).rowcount
    return deleted
