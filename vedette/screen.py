"""What the terminal shows. All text from logs passes `printable`: no escape reaches the screen."""

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.masking import printable

if TYPE_CHECKING:
    from alerts.incidents.views import IncidentView, Transition

SEVERITY_STYLE: Final = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "informational": "dim",
}

#: Words for kinds of transitions.
_WORDS: Final = {"severity": "raised", "calm": "calm", "opened": "opened", "returned": "returned"}


def note(console: Console, *lines: str) -> None:
    """Print texts as they are: no markup, no wrapping inside words, nothing but lines of text."""
    for text in lines:
        shown = "\n".join(printable(line) for line in text.split("\n"))
        console.print(Text(shown), soft_wrap=True)


def options(**given: object) -> str:
    """Return options as they are typed, for a command that people are told; None is left out."""
    typed = [f" --{name} {shlex.quote(str(value))}" for name, value in given.items() if value]
    return printable("".join(typed))


def severity(name: str) -> Text:
    """Return a severity in its colour."""
    return Text(name, style=SEVERITY_STYLE.get(name, ""))


class Screen(Console):
    """A console that says when nobody reads it any more, as head and less do when they leave."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, for the command to end well."""
        raise BrokenPipeError


def terminal(*, stderr: bool = False) -> Console:
    """Return the console; where the output is no terminal, lines are wide and uncoloured."""
    console = Screen(stderr=stderr)
    return console if console.is_terminal else Screen(stderr=stderr, width=160)


def incident_table(incidents: "Iterable[IncidentView]", title: str | None = None) -> Table:
    """Return the table of incidents that scan and incidents show; fits 80 columns."""
    shown = None if title is None else Text(printable(title))
    table = Table(title=shown, title_justify="left", header_style="bold", show_lines=True)
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("since (UTC)", min_width=8)
    table.add_column("what happened", ratio=1, overflow="fold")
    for incident in incidents:
        state = "" if incident.status == "open" else f"\n{incident.status}"
        state += "" if incident.parent_id is None else f"\npart of {incident.parent_id}"
        table.add_row(
            str(incident.id),
            severity(incident.severity).append(state, style="dim"),
            f"{incident.started_at:%Y-%m-%d %H:%M:%S}",
            Text(printable(incident.summary)),
        )
    return table


class Ticker:
    """Prints what happens to incidents as it happens, as the rows of one long table."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = False

    def show(self, transitions: "Sequence[Transition]") -> None:
        """Print a row for each transition."""
        for transition in transitions:
            self._console.print(self._row(transition))

    def _row(self, transition: "Transition") -> Table:
        table = Table(
            box=None, show_header=not self._begun, header_style="bold", expand=True, padding=(0, 1)
        )
        self._begun = True
        table.add_column("id", width=4, justify="right", no_wrap=True)
        table.add_column("what", width=9, no_wrap=True)
        table.add_column("severity", width=8, no_wrap=True)
        table.add_column("what happened", ratio=1, overflow="fold")
        incident = transition.incident
        kind = transition.kind.partition(":")[0]
        over = kind == "calm"
        table.add_row(
            str(incident.id),
            _WORDS.get(kind, kind),
            severity(incident.severity),
            "no more of it for 15 min" if over else Text(printable(incident.summary)),
            style="dim" if over else None,
        )
        return table
