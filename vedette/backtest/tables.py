"""A comparison as tables for the terminal. Text from logs is made harmless."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ingest.masking import printable
from vedette.backtest.comparing import Change, Comparison, Difference
from vedette.backtest.words import about, figure_rows, headline, span_of, verdict_of
from vedette.screen import severity

#: Differences of one kind that are listed at most; --json has all.
LISTED: Final = 50

_STYLES: Final[dict[Change, str]] = {"gained": "green", "lost": "red", "changed": "yellow"}
_SIGNS: Final[dict[Change, str]] = {"gained": "+", "lost": "-", "changed": "~"}
_LABEL_STYLES: Final = {"attack": "bold red", "false alarm": "bold green", "unsure": "dim"}


def tables(compared: Comparison) -> Iterator[RenderableType]:
    """Yield what the terminal shows of a comparison, in order."""
    before, after = (printable(name) for name in compared.names)
    yield Text(f"before: {before}\nafter:  {after}\n{about(compared)}")
    yield _figures(compared)
    for change in ("gained", "lost", "changed"):
        found = compared.only(change)
        if found:
            yield _differences(change, found)
    yield Text(headline(compared), style="bold")


def _figures(compared: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("")
    for name in ("before", "after", "difference"):
        table.add_column(name, justify="right")
    for row in figure_rows(compared):
        table.add_row(*row[:3], Text(row[3], style=_tone(row[0], row[3])))
    return table


def _tone(name: str, difference: str) -> str:
    """Return a colour for what got better or worse, nothing where that cannot be said."""
    if difference in {"", "-", "0"}:
        return "dim"
    up = difference.startswith("+")
    if name in {"precision", "recall", "attacks found"}:
        return "green" if up else "red"
    return ("red" if up else "green") if "false alarm" in name else ""


def _differences(change: Change, found: Sequence[Difference]) -> Table:
    count = len(found)
    more = f" (the first {LISTED} of {count})" if count > LISTED else f": {count}"
    table = Table(
        title=Text(f"{_SIGNS[change]} {change}{more}", style=f"bold {_STYLES[change]}"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        header_style="bold",
        pad_edge=False,
    )
    table.add_column("since (UTC)", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("entity", overflow="fold")
    table.add_column("what was measured", overflow="fold", ratio=1)
    table.add_column("label", overflow="fold")
    for each in found[:LISTED]:
        measured = "\n".join([*each.what, *map(str, each.telling)])
        table.add_row(
            span_of(each),
            _severities(each),
            Text(printable(f"{each.entity_type} {each.entity}")),
            Text("\n".join(printable(line) for line in measured.split("\n"))),
            Text(printable(verdict_of(each)), style=_LABEL_STYLES.get(each.known.label, "dim")),
        )
    return table


def _severities(each: Difference) -> Text:
    old, new = each.severity
    if old and new and old != new:
        return severity(old).append(" ->\n").append_text(severity(new))
    return severity(new or old or "")
