"""What templates may say: the words of a notice, cut to length before anything is escaped."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from alerts.incidents.views import IncidentView
from alerts.messages.escaping import Command, Link
from alerts.messages.news import headline, news, subject
from alerts.messages.notices import Item, Notice

#: Names of a list that a message shows; the others are counted.
NAMES_SHOWN: Final = 6


@dataclass(frozen=True, slots=True)
class Told:
    """One incident in a message.

    `what` is the sentence with the numbers and limits, `who` the entity with its type; `since`,
    `last` and `lasted` are words about event time. `comment` is what a person wrote who
    ended it; `runbooks` are pages that say what to do, without .md, which is a domain,
    too. `link` is the incident's page if the settings name one; `command` shows it in a
    terminal. `incident` has everything else.
    """

    incident: IncidentView
    headline: str
    news: tuple[str, ...]
    who: str
    what: str
    since: str
    last: str
    lasted: str
    clients: str
    comment: str
    runbooks: tuple[str, ...]
    link: Link | None
    command: Command


def context_of(notice: Notice, shown: int, characters: int) -> dict[str, Any]:
    """Return the variables of templates: the first `shown` items, their texts cut to length."""
    items = [_told(item, notice, characters) for item in notice.items[:shown]]
    incidents = [item.incident for item in notice.items]
    total = max(notice.incidents, len(incidents))
    return {
        "items": items,
        "more": total - len(items),
        "total": total,
        "counted": len(incidents),
        "digest": notice.digest,
        "severities": severities(incidents),
        "detectors": detectors(incidents),
        "link": _page(notice),
        "command": _command(notice),
        "reference": notice.mark,
    }


def severities(incidents: Sequence[IncidentView]) -> list[str]:
    """Return how many there are of each severity, the gravest first: 3 critical, 40 high."""
    counts = Counter(incident.severity for incident in incidents)
    return [f"{counts[name]:,} {name}" for name in GRAVEST_FIRST if counts[name]]


def detectors(incidents: Sequence[IncidentView]) -> list[str]:
    """Return how many each detector found, the commonest first; rare ones are counted."""
    counts = Counter(name for incident in incidents for name in incident.detectors)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return _names([f"{name} ({counts[name]:,})" for name in ranked], len(ranked))


#: What the example of a test has for a detector: nothing is to be done about it.
TEST_DETECTOR: Final = "notify_test"

#: Names of severities.
GRAVEST_FIRST: Final = ("critical", "high", "medium", "low", "informational")


def cut(text: str, characters: int) -> str:
    """Return at most so many characters, the last one an ellipsis if any were left out."""
    return text if len(text) <= characters else text[: characters - 1].rstrip() + "…"


def moment(time: datetime) -> str:
    """Write a time: 2025-11-03 09:00:00 UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def look(notice: Notice, incident: int | None = None) -> Link | Command:
    """Return where to look at an incident, or at all: the page, else the command."""
    return _page(notice, incident) or _command(notice, incident)


def _page(notice: Notice, incident: int | None = None) -> Link | None:
    if notice.link is None:
        return None
    return Link(f"{notice.link}/incidents" + ("" if incident is None else f"/{incident}"))


def _command(notice: Notice, incident: int | None = None) -> Command:
    shown = "" if incident is None else f" show {incident}"
    return Command(f"vedette incidents{shown}{notice.options}")


def _told(item: Item, notice: Notice, characters: int) -> Told:
    view = item.incident
    incident = replace(
        view,
        entity=cut(view.entity, characters),
        summary=cut(view.summary, characters),
        members=_cut_names(view.members, characters, view.member_count),
        detectors=_cut_names(view.detectors, characters),
        tags=_cut_names(view.tags, characters),
        services=_cut_names(view.services, characters),
        labels=_cut_names(view.labels, characters),
        assignee=cut(view.assignee, characters) if view.assignee else None,
    )
    many = view.entity_type != "client" and view.member_count
    return Told(
        incident=incident,
        headline=headline(item),
        news=news(item),
        who=subject(incident),
        what=incident.summary,
        since=moment(view.started_at),
        last=moment(view.last_at),
        lasted=_lasted(view.last_at - view.started_at),
        clients=f"{view.member_count:,}" if many else "",
        comment=cut(item.ending.comment, characters) if item.ending else "",
        runbooks=_runbooks(view, characters),
        link=_page(notice, view.id),
        command=_command(notice, view.id),
    )


def _runbooks(incident: IncidentView, characters: int) -> tuple[str, ...]:
    pages = [f"docs/runbooks/{name}" for name in incident.detectors if name != TEST_DETECTOR]
    return _cut_names(pages, characters)


def _cut_names(names: Sequence[str], characters: int, total: int | None = None) -> tuple[str, ...]:
    return tuple(_names([cut(name, characters) for name in names], total or len(names)))


def _names(names: Sequence[str], total: int) -> list[str]:
    shown = list(names[:NAMES_SHOWN])
    return [*shown, f"{total - len(shown):,} more"] if total > len(shown) else shown


def _lasted(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
