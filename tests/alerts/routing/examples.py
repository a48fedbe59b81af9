"""Incidents as routes, silences and the like see them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st

from alerts.incidents.views import IncidentView
from alerts.routing.matchers import Matchers
from detectors.findings import Level

NOW: Final = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)

INCIDENT: Final = IncidentView(
    id=7,
    severity="high",
    status="open",
    resolution=None,
    entity_type="client",
    entity="203.0.113.7",
    members=("203.0.113.7",),
    member_count=1,
    detectors=("login_burst", "request_rate"),
    tags=("attack.t1110", "owasp.api2"),
    started_at=NOW,
    last_at=NOW,
    summary="Client 203.0.113.7: 40 log-ins within 60 s (limit 10)",
    mode="alert",
    merged_into=None,
    parent_id=None,
    stages=("failures",),
    services=("shop",),
    assignee=None,
    labels=("known",),
)

LEVELS: Final = tuple(level.label for level in Level)

#: Few short words, so that patterns often match.
_WORDS: Final = st.text("ab[]", max_size=3)
_PATTERNS: Final = st.lists(st.text("ab*?[]", min_size=1, max_size=4), max_size=2).map(tuple)
_NAMES: Final = st.lists(_WORDS, max_size=2).map(tuple)


def incident(**changes: Any) -> IncidentView:
    return replace(INCIDENT, **changes)


def incidents() -> st.SearchStrategy[IncidentView]:
    return st.builds(
        incident,
        id=st.integers(1, 9),
        severity=st.sampled_from(LEVELS),
        status=st.sampled_from(("open", "acknowledged", "resolved", "closed")),
        entity_type=st.sampled_from(("client", "user", "network")),
        entity=st.one_of(_WORDS, st.sampled_from(("203.0.113.7", "203.0.113.0/24", "2001:db8::7"))),
        detectors=_NAMES,
        services=_NAMES,
        tags=_NAMES,
        labels=_NAMES,
    )


def matchers() -> st.SearchStrategy[Matchers]:
    networks = ("203.0.113.0/24", "203.0.113.7", "2001:db8::/32", "2001:DB8:0::7")
    return st.builds(
        Matchers,
        severity=st.lists(st.sampled_from(LEVELS), max_size=2).map(tuple),
        severity_min=st.one_of(st.none(), st.sampled_from(LEVELS)),
        detector=_PATTERNS,
        service=_PATTERNS,
        entity=st.one_of(_PATTERNS, st.sampled_from(networks).map(lambda one: (one,))),
        tag=_PATTERNS,
        label=_PATTERNS,
    )
