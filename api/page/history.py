"""What happened to an incident, in words. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alerts.lists.details import COMMENTED, IncidentDetail

#: What Vedette does by itself, with what the line of the timeline says beside it.
_BY_ITSELF: Final = {
    "opened": "opened it as {severity}",
    "severity": "raised it to {severity}",
    "stage": "saw it reach {stage}",
    "members": "counted {members} clients",
    "calm": "resolved it: nothing new for 15 minutes",
    "joined": "joined incident {incident} to it",
    "merged": "merged it into incident {into}",
    "rolled_up": "made it part of incident {into}",
    "detached": "let it stand alone again, apart from incident {from}",
    "reopened": "saw it come back",
    "returned": "saw it come back",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """A line of the history: who did what, in words; `text` is what somebody wrote."""

    at: datetime
    actor: str
    said: str
    text: str | None


def history(detail: IncidentDetail) -> tuple[Deed, ...]:
    """Return what happened to the incident, the newest first."""
    return tuple(
        Deed(
            entry.at,
            entry.actor,
            said(entry.action, entry.detail),
            str(entry.detail.get("text", "")) if entry.action == COMMENTED else None,
        )
        for entry in reversed(detail.timeline)
    )


def said(action: str, detail: Mapping[str, Any]) -> str:
    """Say in words what a line of the timeline says; an unknown action by its name."""
    before, after = detail.get("before"), detail.get("after")
    if action == "status" and isinstance(after, dict):
        return f"made it {_status(after)} (was {_status(before)})"
    if action == "assigned":
        return f"assigned it to {after}" if after else f"took it from {before}"
    if action == "labelled" and isinstance(before, list) and isinstance(after, list):
        return "; ".join(_labels(set(before), set(after))) or "labelled it"
    if action in _BY_ITSELF:
        return _BY_ITSELF[action].format_map(defaultdict(lambda: "?", detail))
    return action.replace("_", " ")


def _status(state: object) -> str:
    if not isinstance(state, dict):
        return str(state)
    reason = str(state.get("resolution") or "").replace("_", " ")
    calm = "by calm" if state.get("by_calm") else ""
    more = ", ".join(part for part in (reason, calm) if part)
    return f"{state.get('status')}, {more}" if more else str(state.get("status"))


def _labels(before: set[str], after: set[str]) -> Iterator[str]:
    if added := sorted(after - before):
        yield f"added {', '.join(added)}"
    if removed := sorted(before - after):
        yield f"removed {', '.join(removed)}"
