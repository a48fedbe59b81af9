"""Transitions in words: why this message comes."""

from typing import Final

from alerts.incidents.views import IncidentView
from alerts.messages.notices import Item

#: Kinds of transitions, the one that a message is about first.
_ORDER: Final = (
    "escalated",
    "resolved",
    "calm",
    "merged",
    "opened",
    "returned",
    "severity",
    "stage",
    "members",
    "repeat",
)

#: What is said only while it holds, and what the other then makes old.
_ENDINGS: Final = frozenset({"calm", "resolved", "merged"})
_LIVING: Final = frozenset({"escalated", "repeat", "returned"})
_ASKING: Final = frozenset({"escalated", "repeat"})
_PART_OF_OPENING: Final = frozenset({"severity", "stage", "members", "returned"})

#: The news of a message that is sent to see whether it arrives.
TEST: Final = "test"

_TYPES: Final = {"api_key": "API key", "source": "log"}


def news(item: Item) -> tuple[str, ...]:
    """Return what is new about the incident, the most important first.

    Only what still holds is said: of a calm that is over nothing, of several stages the last.
    """
    incident = item.incident
    told = {}
    for transition in item.transitions:
        kind, _, value = transition.partition(":")
        told[kind] = value
    old = _LIVING if ended(incident) else _ENDINGS
    if incident.status == "acknowledged":
        old |= _ASKING
    if "opened" in told:
        old |= _PART_OF_OPENING
    ranks = {kind: rank for rank, kind in enumerate(_ORDER)}
    kinds = sorted(told.keys() - old, key=lambda kind: (ranks.get(kind, len(ranks)), kind))
    over = ended(incident) and not _ENDINGS & told.keys()
    return tuple(
        f"new incident, {incident.status} by now"
        if over and kind == "opened"
        else _words(kind, told[kind], item)
        for kind in kinds
    )


def headline(item: Item) -> str:
    """Return the most important news, or the status if nothing is new."""
    return next(iter(news(item)), item.incident.status)


def ended(incident: IncidentView) -> bool:
    """Whether calm or a person ended it."""
    return incident.status in {"resolved", "closed"}


def subject(incident: IncidentView) -> str:
    """Return whom the incident is about: client 203.0.113.7, route shop GET /x, all traffic."""
    if incident.entity_type == "all":
        return "all traffic"
    kind = _TYPES.get(incident.entity_type, incident.entity_type)
    return f"{kind} {incident.entity}"


def _words(kind: str, value: str, item: Item) -> str:
    incident = item.incident
    if kind == "members":
        return f"{incident.member_count:,} clients by now"
    if kind == "resolved":
        why = (incident.resolution or "").replace("_", " ")
        by = item.ending.by if item.ending else "a person"
        who = by.rpartition(":")[2] or by  # cli:ann
        return f"{incident.status} by {who}" + (f" ({why})" if why else "")
    if kind == "merged":
        return f"part of incident {incident.merged_into}"
    fixed = {
        TEST: "a test",
        "opened": "new incident",
        "severity": f"severity raised to {incident.severity}",
        "stage": f"next stage: {value}",
        "calm": "calm again",
        "returned": "active again",
        "repeat": "still open",
        "escalated": "nobody has acknowledged it",
    }
    return fixed.get(kind, kind)
