"""What becomes of a line, on a terminal: matches first, then all else."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.incidents.summary import duration
from detectors.single import Judged
from ingest.masking import printable
from vedette.explain.readings import LineRead
from vedette.screen import note, severity

#: Formats that did not take the line and are told; --json has all.
_OTHERS: Final = 3


def print_line(screen: Console, read: LineRead, judged: Sequence[Judged]) -> None:
    """Print what was read, the rules that match, the fields, and why the others do not."""
    if read.format is None:
        note(screen, f"No event: {read.reason or 'no format reads it'}.")
    else:
        wrapped = " (an envelope was taken off)" if read.wrapped else ""
        note(screen, f"Read as {read.format.name}, {read.format.fields} fields{wrapped}.")
    if judged:
        _print_rules(screen, judged)
    if read.fields:
        _print_fields(screen, read)
    note(screen, "", "Other formats:")
    for other in read.others[:_OTHERS]:
        count = f"{other.fields} fields; " if other.fields else ""
        note(screen, f"  {other.name}: {count}{other.why}")
    if judged:
        _print_rest(screen, [each for each in judged if each.verdict == "no_match"])


def _print_rules(screen: Console, judged: Iterable[Judged]) -> None:
    """Print what matches first: it is what a person looks for."""
    some = [each for each in judged if each.verdict != "no_match"]
    counting = [each for each in some if each.verdict == "counts"]
    if not counting:
        note(screen, "", "No rule counts it.")
    table = Table(header_style="bold", title="Rules that match", title_justify="left")
    for column in ("rule", "counts it for", "speaks up at", "level"):
        table.add_column(column, overflow="fold")
    for each in sorted(counting, key=lambda each: (-each.rule.level, each.rule.name)):
        raised = each.rule.raised if each.raised else None
        level = severity(raised.level.label if raised else each.rule.level.label)
        table.add_row(
            each.rule.name,
            Text(printable(f"{each.rule.entity_type} {each.entity}".removesuffix(" all"))),
            Text(_limit(each)),
            level.append(" (monitor)" if each.rule.mode == "monitor" else ""),
        )
    if counting:
        screen.print(table)
    left = [each for each in some if each.verdict == "left_out"]
    if left:
        note(screen, "", "Match, but do not count it:")
    for each in left:
        note(screen, f"  {each.rule.name}: {each.why}")


def _limit(each: Judged) -> str:
    rule = each.rule
    if rule.threshold == 1 and rule.series.windowless:
        return "each match"
    return f"{rule.threshold:,} {rule.unit} in {duration(rule.window)}"


def _print_fields(screen: Console, read: LineRead) -> None:
    table = Table(header_style="bold", title="Fields", title_justify="left")
    for column in ("field", "value", "from"):
        table.add_column(column, overflow="fold")
    for row in read.fields:
        table.add_row(row.name, Text(row.value), Text(printable(row.origin)))
    screen.print("", table)
    note(screen, f"Missing: {', '.join(read.missing)}.")
    for mask in read.masks:
        note(screen, f"Masked: {mask}.")


def _print_rest(screen: Console, judged: Sequence[Judged]) -> None:
    """Print why the other rules do not match, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for each in judged:
        reasons.setdefault(each.why, []).append(each.rule.name)
    note(screen, "", f"{len(judged)} rules do not match:")
    for why, names in sorted(reasons.items(), key=lambda entry: (-len(entry[1]), entry[1])):
        note(screen, f"  {', '.join(names)}: {why}")
