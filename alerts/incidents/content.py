"""Which findings belong together, and what they amount to. Pure: no database, no clock.

An incident is a connected component of one entity's findings: their spans, with gaps of up to
INCIDENT_GAP between them. So the order in which findings arrive cannot matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Final

from alerts.incidents.stages import severity_of, stages_of
from alerts.incidents.summary import summarise
from detectors.findings import EntityType, Evidence, Finding, Level, Mode

#: Findings of one entity with a longer pause between them are different incidents.
INCIDENT_GAP: Final = timedelta(minutes=30)

#: Clients that are kept of one finding; of more, the first by name. So many mean "or more".
MEMBER_LIMIT: Final = 100_000

#: Clients that an incident names.
MEMBERS_SHOWN: Final = 1_000


@dataclass(frozen=True, slots=True)
class Content:
    """What an incident says; follows from its findings and their evidence alone.

    `member_count` is the number of clients in it, `members` the first MEMBERS_SHOWN of them.
    `stages` are how far the attack has come, in the order of the kill chain. `services` are those
    of the evidence that is kept: of more traffic than that, not all.
    """

    entity_type: EntityType
    entity: str
    severity: Level
    mode: Mode
    members: tuple[str, ...]
    member_count: int
    detectors: tuple[str, ...]
    tags: tuple[str, ...]
    stages: tuple[str, ...]
    services: tuple[str, ...]
    started_at: datetime
    last_at: datetime
    summary: str


def components(findings: Iterable[Finding]) -> list[tuple[Finding, ...]]:
    """Split the findings of one entity into incidents, in order of time."""
    groups: list[list[Finding]] = []
    end: datetime | None = None
    for finding in sorted(findings, key=_chronological):
        if end is None or finding.first - end > INCIDENT_GAP:
            groups.append([finding])
            end = finding.last
        else:
            groups[-1].append(finding)
            end = max(end, finding.last)
    return [tuple(group) for group in groups]


def content_of(findings: tuple[Finding, ...], evidence: Iterable[Evidence] = ()) -> Content:
    """Work out what one component amounts to; `evidence` is all that is kept of it.

    Severity and members count the findings that alert; an incident of nothing but monitored
    findings has mode `monitor`, and counts those.
    """
    counting = alerting(findings)
    first = findings[0]
    members = _members(counting)
    return Content(
        entity_type=first.entity_type,
        entity=first.entity,
        severity=severity_of(counting),
        mode=counting[0].mode,
        members=tuple(nsmallest(MEMBERS_SHOWN, members)),
        member_count=len(members),
        detectors=tuple(sorted({finding.detector for finding in findings})),
        tags=tuple(sorted({tag for finding in findings for tag in finding.tags})),
        stages=stage_names(findings),
        services=tuple(sorted({item.service for item in evidence if item.service})),
        started_at=min(finding.first for finding in findings),
        last_at=max(finding.last for finding in findings),
        summary=summarise(counting, 0 if first.entity_type == "client" else len(members)),
    )


def stage_names(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return how far an attack with these findings has come: stages in the kill chain's order."""
    return tuple(stage.name.lower() for stage in stages_of(alerting(findings)))


def bounded(finding: Finding) -> Finding:
    """Return the finding with at most MEMBER_LIMIT members: the same, however it grew."""
    if len(finding.members) <= MEMBER_LIMIT:
        return finding
    return replace(finding, members=frozenset(nsmallest(MEMBER_LIMIT, finding.members)))


def alerting(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that alert, or all if none does."""
    return tuple(finding for finding in findings if finding.mode == "alert") or findings


def _members(findings: tuple[Finding, ...]) -> frozenset[str]:
    if findings[0].entity_type == "client":
        return frozenset({findings[0].entity})
    return frozenset[str]().union(*(finding.members for finding in findings))


def _chronological(finding: Finding) -> tuple[datetime, datetime, str]:
    return finding.first, finding.last, finding.detector
