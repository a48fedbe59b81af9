"""Which incidents about clients are part of one about many clients. Pure: no database, no clock.

Findings about something else than a client that count clients are distributed. An incident about
one of these clients is part of theirs if it says nothing beyond: no other kind of deed, no other
time, nothing more severe. Which one is its parent follows from the incidents alone, so the order
in which findings arrive cannot matter.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Final

from alerts.incidents.content import INCIDENT_GAP
from alerts.incidents.stages import techniques
from detectors.findings import Finding, Level

#: How far a member's findings may lie outside of the parent's: their window, and at most this.
SLACK_LIMIT: Final = INCIDENT_GAP


@dataclass(frozen=True, slots=True)
class Extent:
    """What findings say, as far as it decides about roll-up: techniques, a span, how severe."""

    tags: frozenset[str]
    first: datetime
    last: datetime
    level: Level = Level.INFORMATIONAL

    def __or__(self, other: "Extent") -> "Extent":
        """Return what covers both."""
        return Extent(
            self.tags | other.tags,
            min(self.first, other.first),
            max(self.last, other.last),
            max(self.level, other.level),
        )

    def holds(self, other: "Extent") -> bool:
        """Whether the other says nothing beyond this, and nothing more severe."""
        inside = self.first <= other.first and other.last <= self.last
        return inside and other.tags <= self.tags and other.level <= self.level


@dataclass(frozen=True, slots=True)
class Member:
    """An incident about a client, and its parent so far; without extent if it only monitors."""

    id: int
    client: str
    last_at: datetime
    extent: Extent | None
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class Parent:
    """An incident about many clients."""

    id: int
    entity_type: str
    entity: str
    member_count: int
    started_at: datetime
    extent: Extent

    @property
    def rank(self) -> tuple[int, datetime, str, str]:
        """What decides between two parents; the least one wins, and no two have the same."""
        return -self.member_count, self.started_at, self.entity_type, self.entity


@dataclass(frozen=True, slots=True)
class Scope:
    """What decides whether an incident is a parent, and whose."""

    started_at: datetime
    clients: frozenset[str]
    extent: Extent

    def keeps(self, before: "Scope") -> bool:
        """Whether all that an earlier scope held is held still."""
        return before.clients <= self.clients and self.extent | before.extent == self.extent


def own_extent(findings: Iterable[Finding]) -> Extent | None:
    """Return what the findings about a client say that alert; None if none does."""
    return united(
        Extent(techniques(finding.tags), finding.first, finding.last, finding.level)
        for finding in findings
        if finding.mode == "alert"
    )


def scope_of(findings: Collection[Finding]) -> Scope | None:
    """Return what the findings of one incident cover that alert and count clients.

    None if none does, or if they are about a client.
    """
    counting = [
        f for f in findings if f.members and f.mode == "alert" and f.entity_type != "client"
    ]
    extent = united(map(reach_of, counting))
    if extent is None:
        return None
    clients = frozenset[str]().union(*(finding.members for finding in counting))
    return Scope(min(finding.first for finding in findings), clients, extent)


def reach_of(finding: Finding) -> Extent:
    """Return what one distributed finding covers."""
    slack = min(finding.window, SLACK_LIMIT)
    first, last = finding.first - slack, finding.last + slack
    return Extent(techniques(finding.tags), first, last, finding.level)


def choose(member: Member, candidates: Collection[Parent]) -> int | None:
    """Return the parent of an incident among those that count its client; None if none fits.

    Of several, the one with the most members, then the oldest, then by entity.
    """
    if member.extent is None:
        return None
    fitting = [parent for parent in candidates if parent.extent.holds(member.extent)]
    return min(fitting, key=lambda parent: parent.rank).id if fitting else None


def united(extents: Iterable[Extent]) -> Extent | None:
    """Return what covers them all; None if there are none."""
    found = list(extents)
    return reduce(Extent.__or__, found) if found else None
