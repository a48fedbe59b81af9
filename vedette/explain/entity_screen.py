"""What is known of an entity, on a terminal: the verdict first, then what it rests on."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.findings import Finding
from detectors.probe import Counter
from ingest.masking import printable
from ingest.times import moment
from vedette.explain.entities import Explained, verdict
from vedette.screen import note


def print_entity(screen: Console, explained: Explained) -> None:
    """Print the verdict, what was counted, what is learned, and what cannot be told."""
    note(screen, f"{explained.entity} at {_clock(explained.time)}")
    if explained.requests is not None and explained.first and explained.last:
        span = f"from {_clock(explained.first)} to {_clock(explained.last)}"
        note(screen, f"{explained.requests:,} requests in the log, {span}")
    note(screen, "", verdict(explained), *(f"  {told}" for told in explained.told))
    for finding in explained.findings:
        note(screen, *_finding_lines(finding))
    shown = [*explained.over, *explained.nearest]
    if shown:
        screen.print("", _counters(shown))
    for left in explained.left:
        note(screen, f"Not counted by {left.rule}: {left.requests:,} requests; {left.why}")
    if explained.expected:
        learned = (f"  {each.detector}: {each.expects}" for each in explained.expected)
        note(screen, "", "Learned:", *learned)
    _print_idle(screen, explained)
    note(screen, *(f"Not told: {unknown}." for unknown in explained.unknown))


def _print_idle(screen: Console, explained: Explained) -> None:
    """Print the rules that have nothing in their window."""
    idle = [c for c in explained.counters if not c.over and not c.value and not c.why]
    past = [c for c in idle if c.peak]
    if past:
        note(screen, "", "Nothing in the window then, but at other times:")
    for counter in past:
        note(screen, f"  {counter.rule.name}: up to {counter.peak:,} of {counter.limit:,}")
    never = [counter.rule.name for counter in idle if not counter.peak]
    if never:
        note(screen, "", f"Nothing at any time: {', '.join(never)}")


def _counters(counters: Sequence[Counter]) -> Table:
    table = Table(header_style="bold", title="What was counted", title_justify="left")
    for column in ("", "rule", "counted", "limit", "window (UTC)", "why, and what else"):
        table.add_column(column, overflow="fold")
    for each in counters:
        notes = [*([each.why] if each.why else []), *each.notes]
        if each.peak > each.value and each.peak_at is not None:
            notes.append(f"at most {each.peak:,}, at {moment(each.peak_at):%H:%M:%S}")
        table.add_row(
            Text("over", "bold red") if each.over else Text("below" if not each.why else "not"),
            each.rule.name,
            f"{each.value:,}",
            f"{each.limit:,} {each.rule.unit}",
            f"{moment(each.since):%H:%M:%S} to {moment(each.until):%H:%M:%S}",
            Text(printable("; ".join(notes))),
        )
    return table


def _finding_lines(finding: Finding) -> list[str]:
    mode = " (monitor: nobody is told)" if finding.mode == "monitor" else ""
    span = f"from {_clock(finding.first)} to {finding.last:%H:%M:%S}"
    head = f"  {finding.detector}, {finding.level.label}{mode}: {span}"
    return [head, *([f"    {finding.note}"] if finding.note else [])]


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
