"""A report as tables for the terminal."""

from collections.abc import Iterator, Mapping
from typing import Final

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ingest.masking import printable
from vedette.evaluation.report import Delay, Recall, Report

#: False alarms and missed attacks that are listed at most.
_LISTED: Final = 20

#: A smaller unit is shown up to so many of the larger one.
_FEW: Final = 2
_MINUTE, _HOUR = 60, 3_600


def tables(report: Report) -> Iterator[RenderableType]:
    """Yield what the terminal shows of a report, in order; text from files is made harmless."""
    yield _overall(report)
    yield _detectors(report)
    if report.by_intensity:
        yield _recalls("intensity", report.by_intensity)
    if report.missed:
        yield _missed(report)
    if report.false:
        yield _false(report)


def duration(seconds: float) -> str:
    """Return seconds as people say them: 45 s, 12 min, 3.5 h."""
    if seconds < _FEW * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _FEW * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"


def share(value: float | None) -> str:
    """Return a share with three digits, a dash for none."""
    return "-" if value is None else f"{value:.3f}"


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _delays(delay: Delay | None) -> tuple[str, str, str]:
    if delay is None:
        return "-", "-", "-"
    return (
        duration(delay.median_seconds),
        f"{delay.median_windows:.2f}",
        duration(delay.worst_seconds),
    )


def _found(recall: Recall) -> str:
    return f"{recall.found} of {recall.attacks}" if recall.attacks else "-"


def _ratio(part: int, whole: int) -> str:
    return f"{part}/{whole}" if whole else "-"


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def _narrow(table: Table) -> Table:
    """Let only the first column wrap."""
    for column in table.columns[1:]:
        column.no_wrap = True
    return table


def _overall(report: Report) -> Table:
    table = Table(title="Overall", title_justify="left", show_header=False, box=box.SIMPLE)
    attacks = f"{_found(report.overall)} attacks found" if report.overall.attacks else "no attacks"
    median, windows, worst = _delays(report.overall.delay)
    waited = f"median {median} ({windows} windows), worst {worst}" if report.overall.delay else "-"
    right = report.incidents - report.false_alarms
    rows = {
        "recall": f"{share(report.overall.recall)}  ({attacks})",
        "precision": f"{share(report.precision)}  ({right} of {report.incidents} incidents)",
        "time to detect": waited,
        "incidents a day": _rate(report.incidents_a_day),
        "false alarms a day": _rate(report.false_alarms_a_day),
        "span of the log": duration(report.days * 86_400),
    }
    if report.others:
        rows["other incidents"] = f"{report.others}  (parts of distributed attacks, or unsure)"
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _detectors(report: Report) -> Table:
    heads = "recall", "preci-\nsion", "false\na day", "median", "win-\ndows", "worst"
    table = _table("By detector", "detector", *heads)
    for score in report.by_detector:
        table.add_row(
            Text(printable(score.detector)),
            _ratio(score.recall.found, score.recall.attacks),
            _ratio(score.right, score.findings),
            _rate(score.false_alarms_a_day),
            *_delays(score.recall.delay),
        )
    return _narrow(table)


def _recalls(name: str, recalls: Mapping[str, Recall]) -> Table:
    table = _table(f"By {name}", name, "found", "recall", "median", "windows", "worst")
    for key, recall in recalls.items():
        table.add_row(
            Text(printable(key)), _found(recall), share(recall.recall), *_delays(recall.delay)
        )
    return table


def _missed(report: Report) -> Table:
    table = _table(_limited("Missed attacks", len(report.missed)), "attack", "intensity", "entity")
    for attack in report.missed[:_LISTED]:
        table.add_row(
            Text(printable(attack.name)),
            attack.intensity or "-",
            Text(printable(f"{attack.entity_type} {attack.entity}")),
        )
    return table


def _false(report: Report) -> Table:
    table = _table(
        _limited("False alarms", len(report.false)), "since (UTC)", "entity", "detectors", "really"
    )
    for alarm in report.false[:_LISTED]:
        table.add_row(
            f"{alarm.started_at:%Y-%m-%d %H:%M:%S}",
            Text(printable(f"{alarm.entity_type} {alarm.entity}")),
            Text(printable(", ".join(alarm.detectors))),
            Text(printable(alarm.about or "-")),
        )
    return table


def _limited(title: str, count: int) -> str:
    return title if count <= _LISTED else f"{title} (the first {_LISTED} of {count})"
