"""One incident with all that is kept about it, as terminal, API and exports show it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from alerts.incidents.story import Chapter
from alerts.incidents.views import IncidentView, json_ready
from alerts.lists.related import Related
from detectors.findings import Evidence, Finding
from ingest.times import iso

#: Paths, statuses, countries and networks that a detail names.
TOP: Final = 10

#: The action of a timeline entry that is a comment; its detail has the `text`.
COMMENTED: Final = "commented"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Who did what to an incident, and when."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote about an incident."""

    at: datetime
    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class Telling:
    """One target and one transition: whether and when it was told, or why not.

    `state` is `pending`, `bundled` (with a message that is on its way), `sent`, `dead`,
    `suppressed` or `rolled_up`. The message is delivery number `delivery`; `attempts`, `sent_at`
    and `error` (the last one) are those of the message.
    """

    target: str
    transition: str
    route: str
    state: str
    reason: str | None
    created_at: datetime
    due_at: datetime
    delivery: int | None
    attempts: int
    sent_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Geo:
    """Where the requests among the evidence came from: countries and networks (ASN), counted."""

    countries: tuple[tuple[str, int], ...]
    asns: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, places: Iterable[tuple[str | None, int | None]]) -> "Geo":
        """Count the (country, ASN) of some requests."""
        found = list(places)
        return cls(_counted(country for country, _ in found), _counted(asn for _, asn in found))

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "countries": [{"country": name, "count": count} for name, count in self.countries],
            "asns": [{"asn": number, "count": count} for number, count in self.asns],
        }


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    """One incident with all that is kept about it. `version` changes with every change of it."""

    incident: IncidentView
    version: int
    findings: tuple[Finding, ...]
    evidence: tuple[Evidence, ...]
    timeline: tuple[TimelineEntry, ...]
    related: tuple[Related, ...] = ()
    deliveries: tuple[Telling, ...] = ()
    story: tuple[Chapter, ...] = ()

    @property
    def comments(self) -> tuple[Comment, ...]:
        """What people wrote, the oldest first."""
        return tuple(
            Comment(entry.at, entry.actor, str(entry.detail.get("text", "")))
            for entry in self.timeline
            if entry.action == COMMENTED
        )

    @property
    def geo(self) -> Geo:
        """Where the requests among the evidence came from."""
        return Geo.of((item.country, item.asn) for item in self.evidence)

    @property
    def top_paths(self) -> tuple[tuple[str, int], ...]:
        """Paths among the evidence, counted."""
        return _counted(item.path for item in self.evidence)

    @property
    def statuses(self) -> tuple[tuple[int, int], ...]:
        """Statuses among the evidence, counted."""
        return _counted(item.status for item in self.evidence)

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON: the incident's own fields, then the rest."""
        return {
            **self.incident.to_dict(),
            "version": self.version,
            "story": [json_ready(asdict(chapter)) for chapter in self.story],
            "findings": [finding_dict(finding) for finding in self.findings],
            "evidence": [json_ready(asdict(item)) for item in self.evidence],
            "top_paths": [{"path": path, "count": count} for path, count in self.top_paths],
            "statuses": [{"status": code, "count": count} for code, count in self.statuses],
            "geo": self.geo.to_dict(),
            "related": [json_ready(asdict(item)) for item in self.related],
            "deliveries": [json_ready(asdict(item)) for item in self.deliveries],
            "comments": [json_ready(asdict(comment)) for comment in self.comments],
            "timeline": [json_ready(asdict(entry)) for entry in self.timeline],
        }


def finding_dict(finding: Finding) -> dict[str, Any]:
    """Return a finding for JSON, without the entity (the incident has it)."""
    return {
        "detector": finding.detector,
        "first": iso(finding.first),
        "last": iso(finding.last),
        "value": finding.value,
        "threshold": finding.threshold,
        "unit": finding.unit,
        "window_seconds": finding.window.total_seconds(),
        "level": finding.level.label,
        "mode": finding.mode,
        "tags": list(finding.tags),
        "fingerprint": finding.fingerprint,
        "note": finding.note,
    }


def _counted(values: Iterable[T | None]) -> tuple[tuple[T, int], ...]:
    return tuple(Counter(value for value in values if value is not None).most_common(TOP))
