"""What can be found in a log, on a terminal and as JSON."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.needs import EDGE
from vedette.coverage.filled import Filled
from vedette.coverage.owasp import NEVER, Covered, covered
from vedette.coverage.sight import NEARLY_ALL, Sight, counted, wanted, worked_out
from vedette.coverage.snippets import ELSEWHERE, log_formats
from vedette.screen import note

_STYLE: Final = {"working": "green", "partly": "yellow", "blind": "bold red", "off": "dim"}


def print_coverage(screen: Console, filled: Filled, found: Sequence[Sight]) -> None:
    """Print the fields, the OWASP list, the detectors that do not see all, and what to do."""
    counts = counted(found)
    note(
        screen,
        f"{filled.events:,} events. {len(found)} detectors: {counts['working']} see all they need,"
        f" {counts['partly']} part of it, {counts['blind']} are blind, {counts['off']} are off.",
    )
    screen.print("", _fields(filled), "", _risks(covered(found)))
    short = [each for each in found if each.state != "working"]
    if short:
        screen.print("", _detectors(short))
    _print_mending(screen, filled, found)
    note(screen, "", "No access log shows, whatever its format:", *(f"  {row}" for row in NEVER))


def _fields(filled: Filled) -> Table:
    table = Table(header_style="bold", title="Fields of the events", title_justify="left")
    table.add_column("field")
    table.add_column("filled", justify="right")
    table.add_column("missing", justify="right")
    for name in filled.counts:
        share = filled.share(name)
        style = "" if share else "dim"
        told = "role edge" if name == EDGE else name
        table.add_row(told, percent(share), percent(1 - share), style=style)
    return table


def percent(share: float) -> str:
    """Return a share in words that do not call nearly all all, or little nothing."""
    if share in {0.0, 1.0}:
        return f"{share:.0%}".replace("%", " %")
    return f"{min(max(round(100 * share, 1), 0.1), 99.9):g} %"


def _risks(rows: Iterable[Covered]) -> Table:
    table = Table(
        header_style="bold",
        title="OWASP API Security Top 10 (2023)",
        title_justify="left",
        show_lines=True,
    )
    for column in ("", "risk", "is", "detectors", "what no access log shows of it"):
        table.add_column(column, overflow="fold")
    for row in rows:
        counts = counted(row.detectors)
        told = ", ".join(f"{n} {state}" for state, n in counts.items() if n) or "none"
        number = row.risk.tag.removeprefix("owasp.").upper()
        state = Text(row.state, _STYLE[row.state])
        table.add_row(number, row.risk.name, state, told, row.risk.unseen)
    return table


def _detectors(found: Iterable[Sight]) -> Table:
    table = Table(header_style="bold", title="Detectors that do not see all", title_justify="left")
    for column in ("detector", "is", "sees", "for want of", "note"):
        table.add_column(column, overflow="fold")
    order = {"blind": 0, "partly": 1, "off": 2, "working": 3}
    for each in sorted(found, key=lambda each: (order[each.state], each.detector)):
        table.add_row(
            each.detector,
            Text(each.state, _STYLE[each.state]),
            "" if each.state == "off" or each.share >= NEARLY_ALL else percent(each.share),
            ", ".join("role edge" if name == EDGE else name for name in each.missing),
            "; ".join(each.notes),
        )
    return table


def _print_mending(screen: Console, filled: Filled, found: Sequence[Sight]) -> None:
    """Print what to add to the log, those columns first that most detectors want."""
    rows = list(wanted(filled, found))
    if not rows:
        return
    note(screen, "", "What would open their eyes:")
    for name, detectors in rows:
        told = ELSEWHERE.get(name)
        hint = f"; {told}" if told else ""
        note(screen, f"  {name}: {', '.join(detectors)}{hint}")
    for server, text in log_formats(worked_out([name for name, _ in rows])).items():
        note(screen, "", f"{server}:", *(f"  {line}" for line in text.split("\n")))


def as_json(filled: Filled, found: Sequence[Sight]) -> dict[str, Any]:
    """Return all of it as plain data."""
    rows = list(wanted(filled, found))
    return {
        "events": filled.events,
        "fields": {name: round(filled.share(name), 6) for name in filled.counts},
        "detectors": [
            {
                "detector": each.detector,
                "title": each.title,
                "state": each.state,
                "share": round(each.share, 6),
                "missing": list(each.missing),
                "notes": list(each.notes),
                "owasp": [tag for tag in each.tags if tag.startswith("owasp.")],
            }
            for each in found
        ],
        "owasp": [
            {
                "risk": row.risk.tag,
                "name": row.risk.name,
                "state": row.state,
                "detectors": {each.detector: each.state for each in row.detectors},
                "unseen": row.risk.unseen,
            }
            for row in covered(found)
        ],
        "wanted": dict(rows),
        "log_formats": log_formats(worked_out([name for name, _ in rows])),
        "never": list(NEVER),
    }
