"""One incident in the terminal. Text from logs and people is printable, and never markup."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.incidents.content import MEMBER_LIMIT, MEMBERS_SHOWN
from alerts.lists.details import COMMENTED, IncidentDetail
from detectors.findings import Evidence
from ingest.masking import printable
from vedette.screen import note, severity

#: Clients that the terminal names of an attack by many.
MEMBERS_PRINTED: Final = 12


def print_incident(console: Console, detail: IncidentDetail, more: Sequence[str] = ()) -> None:
    """Print one incident; `more` are lines that say what else to type."""
    note(console, *_head(console, detail), *more, "")
    for table in _tables(detail):
        if table.row_count:
            console.print(table)
    for comment in detail.comments:
        note(console, f"{_minute(comment.at)} {printable(comment.actor)} wrote:")
        note(console, *(f"  {printable(line)}" for line in comment.text.splitlines()))
    detectors = detail.incident.detectors
    note(console, "What to do: " + ", ".join(f"docs/runbooks/{printable(d)}.md" for d in detectors))


def _head(console: Console, detail: IncidentDetail) -> Iterator[str]:
    incident = detail.incident
    console.print(
        Text.assemble(
            (f"Incident {incident.id}  ", "bold"),
            severity(incident.severity),
            f"  {incident.status}",
            f" ({incident.resolution})" if incident.resolution else "",
            (f"  version {detail.version}", "dim"),
        )
    )
    yield printable(incident.summary)
    yield from _who(detail)
    if incident.assignee:
        yield f"Assigned to {printable(incident.assignee)}."
    for name, values in (
        ("Labels", incident.labels),
        ("Services", incident.services),
        ("Countries", _counts(detail.geo.countries)),
        ("Networks", _counts((f"AS{number}", count) for number, count in detail.geo.asns)),
    ):
        if values:
            yield f"{name}: {', '.join(map(printable, values))}"


def _who(detail: IncidentDetail) -> Iterator[str]:
    """Say who takes part, and what the incident is part of."""
    incident = detail.incident
    if incident.parent_id is not None:
        yield f"Part of incident {incident.parent_id}: its findings are of the same kind."
    if incident.merged_into is not None:
        yield f"Merged into incident {incident.merged_into}."
    if incident.entity_type != "client" and incident.member_count:
        shown = [printable(member) for member in incident.members[:MEMBERS_PRINTED]]
        rest = incident.member_count - len(shown)
        more = "" if not rest else f" and {rest:,} more (--json names up to {MEMBERS_SHOWN:,})"
        beyond = " or more" if incident.member_count >= MEMBER_LIMIT else ""
        yield f"Clients, {incident.member_count:,}{beyond}: {', '.join(shown)}{more}"


def _tables(detail: IncidentDetail) -> Iterator[Table]:
    yield _table(
        "Story",
        ("stage", "what happened"),
        ((chapter.stage or "no stage", chapter.sentence) for chapter in detail.story),
    )
    yield _table(
        "Findings",
        ("detector", "value", "limit", "first (UTC)", "last (UTC)"),
        (
            (
                f.detector,
                f"{f.value:,}",
                f"{f.threshold:,}",
                _second(f.first),
                _end(f.first, f.last),
            )
            for f in detail.findings
        ),
    )
    yield _table(
        "Evidence",
        ("time (UTC)", "from", "where", "request (masked)"),
        ((f"{e.time:%H:%M:%S.%f}"[:-3], _origin(e), _place(e), e.text) for e in detail.evidence),
    )
    yield _table(
        "Related incidents",
        ("id", "severity", "about", "from (UTC)", "why"),
        (
            (str(r.id), severity(r.severity), f"{r.entity_type} {r.entity}", _minute(r.started_at),
             r.reason)
            for r in detail.related
        ),
    )  # fmt: skip
    yield _table(
        "Who was told",
        ("target", "of", "state", "when (UTC)", "why"),
        (
            (t.target, t.transition, t.state, _minute(t.sent_at or t.due_at),
             t.reason or t.error or "")
            for t in detail.deliveries
        ),
    )  # fmt: skip
    yield _table(
        "Timeline",
        ("at (UTC)", "who", "what"),
        (
            (_second(entry.at), entry.actor, told(entry.action, entry.detail))
            for entry in detail.timeline
        ),
    )


def told(action: str, detail: dict[str, Any]) -> str:
    """Say in words what an entry of the timeline says."""
    if action == COMMENTED:
        return "commented"
    if detail.keys() == {"before", "after"}:
        return f"{action}: {_worth(detail['before'])} -> {_worth(detail['after'])}"
    parts = [f"{name} {_worth(value)}" for name, value in detail.items()]
    return f"{action}: {', '.join(parts)}" if parts else action


def _worth(value: Any) -> str:  # noqa: ANN401 - plain data of any shape
    if isinstance(value, dict):
        return " ".join(_worth(each) for each in value.values() if each not in {None, True, False})
    if isinstance(value, list):
        return ", ".join(map(_worth, value)) or "none"
    return "none" if value is None else str(value)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """Return a table in which long words break, so that it fits any terminal."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for cells in rows:
        table.add_row(*(c if isinstance(c, Text) else Text(printable(c)) for c in cells))
    return table


def _origin(item: Evidence) -> str:
    network = "" if item.asn is None else f"AS{item.asn}"
    return " ".join(filter(None, (item.country, network)))


def _place(item: Evidence) -> str:
    return f"{Path(item.partition).name}:{item.position}"


def _counts(values: Iterable[tuple[object, int]]) -> list[str]:
    return [f"{value} ({count})" for value, count in values]


def _end(first: datetime, last: datetime) -> str:
    return f"{last:%H:%M:%S}" if first.date() == last.date() else _second(last)


def _minute(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _second(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"
