"""vedette sweep: what one rule would have found with many limits."""

import json
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from rich import box
from rich.table import Table
from rich.text import Text

from alerts.incidents.summary import duration
from detectors.catalogue import UnknownDetectorError
from detectors.rules import Rule
from vedette.backtest.sweeping import (
    Swept,
    counted_for,
    limits_between,
    proposal,
    single_rule,
    sweep_counts,
)
from vedette.commands.backtest import judging, known_truth, tell
from vedette.evaluation.tables import share
from vedette.failures import FAILED, PARTLY_READ, reports_failures
from vedette.memory import return_large_blocks
from vedette.one_run import secret_for_files
from vedette.rules import catalogue_of
from vedette.screen import note, terminal
from vedette.settings import Settings, SettingsError, load_settings

#: Without limits that are given: so many, from a quarter of the rule's to so many times it.
_LIMITS: Final = 16
_TIMES: Final = 4

#: Characters of the longest bar.
_BAR: Final = 24


@reports_failures
def run_sweep(
    files: Sequence[str],
    detector: str,
    config: Path | None,
    *,
    thresholds: str | None = None,
    truth: Path | None = None,
    database: str | None = None,
    budget: float = 0.0,
    log_format: str = "auto",
    cache: Path | None = None,
    as_json: bool = False,
) -> int:
    """Print what a rule would have found with each limit; return the status."""
    return_large_blocks()
    settings = load_settings(config)
    rule = _rule(settings, detector)
    wanted = limits_of(thresholds) if thresholds else _around(rule.threshold)
    secret = secret_for_files()
    known = known_truth(truth, database, settings, secret)
    with judging(files, settings, cache, secret, log_format=log_format) as judge:
        counted = judge.sweep(settings, counted_for(rule, wanted))
    swept = sweep_counts(rule, counted.by_shape, wanted, known, counted.about.days)
    proposed = proposal(swept, rule.threshold, budget)
    tell(judge)
    if as_json:
        for each in swept:
            sys.stdout.write(json.dumps(each.to_dict()) + "\n")
    else:
        _print(rule, swept, proposed, budget)
    if not counted.about.events:
        note(terminal(stderr=True), "vedette: there is no event to judge")
        return PARTLY_READ if judge.problems else FAILED
    return PARTLY_READ if judge.problems else 0


def limits_of(text: str) -> list[int]:
    """Return limits written as `5,10,20` or `5:50:10` (from, to, how many), in order.

    Raises SettingsError.
    """
    try:
        if ":" in text:
            low, high, count = (int(part) for part in text.split(":"))
            limits = [] if high < low else limits_between(low, high, max(count, 2))
        else:
            limits = sorted({int(part) for part in text.split(",")})
    except ValueError as error:
        raise SettingsError(f"--threshold {text}: write limits as 5,10,20 or 5:50:10") from error
    if not limits:
        raise SettingsError(f"--threshold {text}: the second limit is below the first")
    if limits[0] < 1:
        raise SettingsError(f"--threshold {text}: a limit is at least 1")
    return limits


def _rule(settings: Settings, detector: str) -> Rule:
    try:
        return single_rule(settings, detector)
    except (KeyError, ValidationError) as error:
        known = [rule.name for rule in catalogue_of(settings).rules]
        near = get_close_matches(detector, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "; vedette rules list names them"
        raise UnknownDetectorError(f"no rule is called {detector!r}{hint}") from error


def _around(now: int) -> list[int]:
    return limits_between(max(1, now // _TIMES), _TIMES * now, _LIMITS, now)


def _print(rule: Rule, swept: Sequence[Swept], proposed: int | None, budget: float) -> None:
    console = terminal()
    labelled = any(each.false_alarms is not None for each in swept)
    table = Table(
        title=f"{rule.name}: {rule.unit} within {duration(rule.window)}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        header_style="bold",
    )
    heads = ["limit", "incidents", "a day"]
    heads += ["false alarms", "precision", "attacks found", "recall"] if labelled else []
    for head in heads:
        table.add_column(head, justify="right")
    table.add_column("")
    most = max((each.incidents for each in swept), default=0)
    for each in swept:
        now = each.threshold == rule.threshold
        bar = _bar(each, most).append("  now" if now else "")
        table.add_row(*_cells(each, labelled=labelled), bar, style="bold" if now else "")
    console.print(table)
    if proposed is None:
        note(console, f"No limit keeps to {budget:g} a day.")
    elif proposed == rule.threshold:
        note(console, f"The limit of {proposed} does as well on this log as any.")
    else:
        note(console, f"Proposed: {proposed}", f"[detectors.{rule.name}]\nthreshold = {proposed}")


def _cells(each: Swept, *, labelled: bool) -> Iterator[str]:
    yield f"{each.threshold:,}"
    yield f"{each.incidents:,}"
    yield "-" if each.incidents_a_day is None else f"{each.incidents_a_day:.1f}"
    if labelled:
        yield f"{each.false_alarms or 0:,}"
        yield share(each.precision)
        yield f"{each.found} of {each.attacks}" if each.attacks else "-"
        yield share(each.recall)


def _bar(each: Swept, most: int) -> Text:
    """Return a bar of the incidents, the false alarms among them in another colour."""
    length = round(_BAR * each.incidents / most) if most else 0
    wrong = round(_BAR * (each.false_alarms or 0) / most) if most else 0
    return Text("█" * (length - wrong), style="cyan").append("█" * wrong, style="yellow")
