"""Which findings belong together, and what they amount to. Pure: no database, no clock.

An incident is a connected component of one entity's findings: their spans, with gaps of up to
INCIDENT_GAP between them. So the order in which findings arrive cannot matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.summary import summarise
from detectors.findings import EntityType, Finding, Level, Mode

#: Findings of one entity with a longer pause between them are different incidents.
INCIDENT_GAP: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Content:
    """What an incident says; follows from its findings alone."""

    entity_type: EntityType
    entity: str
    severity: Level
    mode: Mode
    members: tuple[str, ...]
    detectors: tuple[str, ...]
    tags: tuple[str, ...]
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


def content_of(findings: tuple[Finding, ...]) -> Content:
    """Work out what one component amounts to.

    Severity counts the findings that alert; an incident of nothing but monitored findings has
    mode `monitor` and the highest of their levels.
    """
    counting = alerting(findings)
    first = findings[0]
    return Content(
        entity_type=first.entity_type,
        entity=first.entity,
        severity=max(finding.level for finding in counting),
        mode=counting[0].mode,
        members=(first.entity,) if first.entity_type == "client" else (),
        detectors=tuple(sorted({finding.detector for finding in findings})),
        tags=tuple(sorted({tag for finding in findings for tag in finding.tags})),
        started_at=min(finding.first for finding in findings),
        last_at=max(finding.last for finding in findings),
        summary=summarise(counting),
    )


def alerting(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that alert, or all if none does."""
    return tuple(finding for finding in findings if finding.mode == "alert") or findings


def _chronological(finding: Finding) -> tuple[datetime, datetime, str]:
    return finding.first, finding.last, finding.detector
