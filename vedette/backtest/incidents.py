"""Findings into incidents as the store puts them together, in memory."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from alerts.database.safety import safe_finding
from alerts.incidents.content import components, content_of
from alerts.incidents.rollup import Member, Parent, choose, own_extent, reach_of, scope_of, united
from detectors.findings import Finding


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as it would have been stored; `parent` is the attack by many it is part of."""

    entity_type: str
    entity: str
    severity: str
    mode: str
    detectors: tuple[str, ...]
    started_at: datetime
    last_at: datetime
    summary: str
    member_count: int
    findings: tuple[Finding, ...] = field(repr=False)
    parent: tuple[str, str] | None = None

    @property
    def told(self) -> bool:
        """Whether people are told of it by itself."""
        return self.mode == "alert" and self.parent is None

    @property
    def peaks(self) -> Mapping[str, Finding]:
        """The finding with the greatest value of each detector."""
        highest: dict[str, Finding] = {}
        for finding in self.findings:
            known = highest.get(finding.detector)
            if known is None or finding.value > known.value:
                highest[finding.detector] = finding
        return highest


def incidents_of(findings: Iterable[Finding]) -> list[Incident]:
    """Return the incidents that some final findings make, the oldest first."""
    theirs: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        safe = safe_finding(finding)
        theirs[safe.entity_type, safe.entity].append(safe)
    parts = [part for mine in theirs.values() for part in components(mine)]
    parts.sort(key=lambda part: (part[0].first, part[0].entity_type, part[0].entity))
    parents = _parents(parts)
    return [_incident(number, part, parents) for number, part in enumerate(parts)]


def _incident(
    number: int, part: tuple[Finding, ...], parents: Mapping[str, list[Parent]]
) -> Incident:
    content = content_of(part)
    parent: tuple[str, str] | None = None
    if content.entity_type == "client" and content.mode == "alert":
        counting = parents.get(content.entity, [])
        member = Member(number, content.entity, content.last_at, own_extent(part), None)
        chosen = choose(member, counting)
        found = next((each for each in counting if each.id == chosen), None)
        parent = None if found is None else (found.entity_type, found.entity)
    return Incident(
        entity_type=content.entity_type,
        entity=content.entity,
        severity=content.severity.label,
        mode=content.mode,
        detectors=content.detectors,
        started_at=content.started_at,
        last_at=content.last_at,
        summary=content.summary,
        member_count=content.member_count,
        findings=part,
        parent=parent,
    )


def _parents(parts: Iterable[tuple[Finding, ...]]) -> dict[str, list[Parent]]:
    """Return by client the incidents about many that count it."""
    found: dict[str, list[Parent]] = defaultdict(list)
    for number, part in enumerate(parts):
        scope = scope_of(part)
        if scope is None:
            continue
        content = content_of(part)
        if content.mode != "alert":
            continue
        counting = [f for f in part if f.members and f.mode == "alert"]
        extent = united(map(reach_of, counting))
        if extent is None:
            continue
        parent = Parent(
            number,
            content.entity_type,
            content.entity,
            content.member_count,
            content.started_at,
            extent,
        )
        for client in scope.clients:
            found[client].append(parent)
    return found
