"""What answers hold. An incident's own fields are those of alerts.incidents.views.IncidentView."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.incidents.story import Chapter
from alerts.incidents.views import IncidentView
from alerts.lists.details import Comment


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """A page of incidents; `next_cursor` asks for the next, null after the last."""

    items: tuple[IncidentView, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class FindingAnswer:
    """What one detector claims: `value` `unit` within `window_seconds`, over `threshold`.

    `note` is what it tells beside that, as a sentence, or empty.
    """

    detector: str
    first: datetime
    last: datetime
    value: int
    threshold: int
    unit: str
    window_seconds: float
    level: str
    mode: str
    tags: tuple[str, ...]
    fingerprint: str
    note: str


@dataclass(frozen=True, slots=True)
class EvidenceAnswer:
    """One masked event behind the incident, and where its line is."""

    time: datetime
    partition: str
    position: int
    text: str
    path: str | None
    status: int | None
    service: str | None
    country: str | None
    asn: int | None


@dataclass(frozen=True, slots=True)
class TimelineAnswer:
    """Who did what, and when."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class PathCount:
    """How often a path is among the evidence."""

    path: str
    count: int


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How often a status is among the evidence."""

    status: int
    count: int


@dataclass(frozen=True, slots=True)
class CountryCount:
    """How many requests among the evidence came from a country."""

    country: str
    count: int


@dataclass(frozen=True, slots=True)
class NetworkCount:
    """How many requests among the evidence came from an autonomous system."""

    asn: int
    count: int


@dataclass(frozen=True, slots=True)
class GeoAnswer:
    """Where the requests among the evidence came from."""

    countries: tuple[CountryCount, ...]
    asns: tuple[NetworkCount, ...]


@dataclass(frozen=True, slots=True)
class IncidentAnswer(IncidentView):
    """One incident with what changes only as its version does."""

    version: int
    story: tuple[Chapter, ...]
    findings: tuple[FindingAnswer, ...]
    evidence: tuple[EvidenceAnswer, ...]
    timeline: tuple[TimelineAnswer, ...]
    top_paths: tuple[PathCount, ...]
    statuses: tuple[StatusCount, ...]
    geo: GeoAnswer
    comments: tuple[Comment, ...]
