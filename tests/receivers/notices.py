"""Notices for tests of messages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.incidents.views import IncidentView
from alerts.messages.notices import Item, Notice

START = datetime(2025, 11, 3, 9, 0, tzinfo=UTC)

INCIDENT = IncidentView(
    id=17,
    severity="high",
    status="open",
    resolution=None,
    entity_type="client",
    entity="203.0.113.7",
    members=(),
    member_count=0,
    detectors=("web-recon-404",),
    tags=("attack.reconnaissance",),
    started_at=START,
    last_at=START + timedelta(minutes=2),
    summary="Client 203.0.113.7: 43 distinct missing paths within 2 min (limit 10), from 09:00:00"
    " to 09:02:00 UTC.",
    mode="alert",
    merged_into=None,
    parent_id=None,
    stages=("reconnaissance",),
    services=("shop",),
    assignee=None,
    labels=(),
)


def incident(**changes: Any) -> IncidentView:
    return replace(INCIDENT, **changes)


def notice(*incidents: IncidentView, mark: str = "mark-1", **changes: Any) -> Notice:
    """A notice that the incidents, or one, were opened."""
    items = tuple(Item(view, ("opened",)) for view in incidents or (INCIDENT,))
    return Notice(**{"items": items, "mark": mark, "incidents": len(items), **changes})


def about(*transitions: str, **changes: Any) -> Notice:
    """A notice of transitions of one incident."""
    return Notice((Item(incident(**changes), transitions),), "mark-1")
