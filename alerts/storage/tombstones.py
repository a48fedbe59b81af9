"""What is left of incidents that were pruned or erased, so that a replay does not bring them back.

A tombstone keeps an incident's number and span, and a digest of whom it was about: HMAC-SHA256
under the server's secret, so that it names nobody to those who do not ask for a name.

A finding is not stored again if it lies wholly within the span of a tombstone of its entity. One
that goes beyond is new: something happened that no incident had told before. A client that was
erased is not counted again among the members of a finding that touches the span of its tombstone.
"""

import hmac
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Connection, func, select

from alerts.database.models import IncidentRow, TombstoneRow, table_of
from alerts.database.statements import chunks, insert_or_ignore
from detectors.findings import Finding

#: Why an incident is gone.
Reason = Literal["pruned", "erased"]

#: First and last moment of what is gone, and why.
_Span = tuple[datetime, datetime, str]

_LABEL: Final = b"vedette tombstones 1"

_TOMBSTONES: Final = table_of(TombstoneRow)


class Tombstones:
    """Writes tombstones and knows what lies under them."""

    def __init__(self, secret: bytes) -> None:
        """Derive the key from the server's secret."""
        self._key = hmac.digest(secret, _LABEL, "sha256")

    def digest(self, entity_type: str, entity: str) -> str:
        """Return what stands for an entity, its name as it is stored."""
        message = f"{entity_type}\0{entity}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, message, "sha256").hex()

    def bury(
        self,
        connection: Connection,
        incidents: Iterable[tuple[int, str, str, datetime, datetime]],
        reason: Reason,
        now: datetime,
    ) -> None:
        """Write a tombstone for each (id, entity type, entity, first, last)."""
        rows = [
            {
                "id": identity,
                "digest": self.digest(entity_type, entity),
                "started_at": first,
                "last_at": last,
                "reason": reason,
                "at": now,
            }
            for identity, entity_type, entity, first, last in incidents
        ]
        insert_or_ignore(connection, _TOMBSTONES, rows, ("id",))

    def unburied(self, connection: Connection, findings: Sequence[Finding]) -> list[Finding]:
        """Return the findings that may be stored, without members that may not.

        Where nothing of so late a time was pruned or erased, as in all normal running, that takes
        one look into an index.
        """
        if not findings:
            return []
        first = min(finding.first for finding in findings)
        last = max(finding.last for finding in findings)
        late = select(_TOMBSTONES.c.id).where(_TOMBSTONES.c.last_at >= first).limit(1)
        if connection.execute(late).first() is None:
            return list(findings)
        spans = self._spans(connection, _named(findings), first, last)
        if not spans:
            return list(findings)
        left = [f for f in findings if not _lies_under(f, spans.get((f.entity_type, f.entity), ()))]
        return [_without_erased(finding, spans) for finding in left]

    def _spans(
        self,
        connection: Connection,
        entities: Collection[tuple[str, str]],
        first: datetime,
        last: datetime,
    ) -> dict[tuple[str, str], list[_Span]]:
        by_digest = {self.digest(*entity): entity for entity in entities}
        spans: dict[tuple[str, str], list[_Span]] = defaultdict(list)
        for chunk in chunks(list(by_digest)):
            query = select(
                _TOMBSTONES.c.digest,
                _TOMBSTONES.c.started_at,
                _TOMBSTONES.c.last_at,
                _TOMBSTONES.c.reason,
            ).where(
                _TOMBSTONES.c.digest.in_(chunk),
                _TOMBSTONES.c.last_at >= first,
                _TOMBSTONES.c.started_at <= last,
            )
            for digest, started_at, last_at, reason in connection.execute(query):
                spans[by_digest[digest]].append((started_at, last_at, reason))
        return spans


def number_of_none(connection: Connection) -> int:
    """Return a number for a tombstone of what was no incident: below those of incidents."""
    lowest = connection.execute(select(func.min(_TOMBSTONES.c.id))).scalar()
    return min(lowest or 0, 0) - 1


def number_above_tombstones(connection: Connection) -> int | None:
    """Return the number that the next incident must have, None if the database may choose.

    SQLite would give the number of the last incident again if that is gone: links in messages
    would then show another one.
    """
    if connection.dialect.name != "sqlite":
        return None
    buried, stored = connection.execute(
        select(
            select(func.max(_TOMBSTONES.c.id)).scalar_subquery(),
            select(func.max(IncidentRow.id)).scalar_subquery(),
        )
    ).one()
    return buried + 1 if (buried or 0) > (stored or 0) else None


def _named(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    entities = {(finding.entity_type, finding.entity) for finding in findings}
    members = {("client", member) for finding in findings for member in finding.members}
    return {*entities, *members}


def _lies_under(finding: Finding, spans: Iterable[_Span]) -> bool:
    return any(first <= finding.first and finding.last <= last for first, last, _ in spans)


def _without_erased(finding: Finding, spans: dict[tuple[str, str], list[_Span]]) -> Finding:
    erased = {
        member
        for member in finding.members
        for first, last, reason in spans.get(("client", member), ())
        if reason == "erased" and first <= finding.last and finding.first <= last
    }
    return replace(finding, members=finding.members - erased) if erased else finding
