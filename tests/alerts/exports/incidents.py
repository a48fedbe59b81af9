"""Incidents to export, put together without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.incidents.content import content_of
from alerts.incidents.lifecycle import State
from alerts.incidents.story import story
from alerts.incidents.views import view_of
from alerts.lists.details import COMMENTED, IncidentDetail, TimelineEntry
from alerts.lists.related import RELATIONS, Related
from detectors.findings import Evidence, Finding, Level

START = datetime(2026, 11, 2, 8, tzinfo=UTC)


def evidence(second: int, **changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "time": START + timedelta(seconds=second),
        "partition": "/var/log/access.log",
        "position": 100 * second,
        "text": "GET /.env 404 512 B",
        "path": "/.env",
        "status": 404,
        "service": "shop",
        "country": "DE",
        "asn": 64_496,
    }
    return Evidence(**{**values, **changes})


def finding(detector: str = "missing_path_scan", **changes: Any) -> Finding:
    values: dict[str, Any] = {
        "detector": detector,
        "entity_type": "client",
        "entity": "203.0.113.7",
        "first": START,
        "last": START + timedelta(seconds=40),
        "value": 30,
        "threshold": 10,
        "unit": "distinct missing paths",
        "window": timedelta(minutes=10),
        "level": Level.MEDIUM,
        "tags": ("attack.reconnaissance", "attack.t1595.003"),
    }
    return Finding(**{**values, **changes})


def detail(
    *findings: Finding,
    events: tuple[Evidence, ...] = (evidence(0), evidence(1)),
    comment: str | None = None,
    related: bool = False,
    **state: Any,
) -> IncidentDetail:
    found = findings or (finding(),)
    timeline = [TimelineEntry(START, "vedette", "opened", {"severity": "medium"})]
    if comment is not None:
        timeline.append(TimelineEntry(START, "cli:ann", COMMENTED, {"text": comment}))
    other = Related(
        9, "earlier", RELATIONS["earlier"], "low", "closed", "client", "x", START, START
    )
    return IncidentDetail(
        incident=view_of(7, content_of(found, events), State(**state)),
        version=3,
        findings=found,
        evidence=events,
        timeline=tuple(timeline),
        story=story(found),
        related=(other,) if related else (),
    )
