"""vedette suggest: settings that people's decisions about incidents speak for."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ingest.masking import printable
from ingest.times import iso
from vedette.evaluation.tables import share
from vedette.failures import reports_failures
from vedette.rules import catalogue_of
from vedette.screen import note, terminal
from vedette.settings import load_settings
from vedette.suggestions.decisions import stored_decisions
from vedette.suggestions.detectors import Scored, scored
from vedette.suggestions.exceptions import Excepted, exceptions_for
from vedette.suggestions.proposals import difference_of, lines_of


@reports_failures
def run_suggest(
    config: Path | None, database: str | None, *, lose: int, least: int, as_json: bool
) -> int:
    """Print precision by detector and suggested settings; return the status."""
    settings = load_settings(config)
    catalogue = catalogue_of(settings)
    incidents = stored_decisions(settings, database, configured=config is not None, undecided=True)
    excepted = exceptions_for(incidents, catalogue, least)
    numbers = {each.id for one in excepted for each in one.incidents}
    scores = scored(incidents, catalogue, lose=lose, least=least, excepted=numbers)
    if as_json:
        sys.stdout.write(json.dumps(_plain(scores, excepted)) + "\n")
        return 0
    console = terminal()
    if not scores:
        note(
            console,
            "Nobody has judged an incident yet: vedette incidents resolve ID --as"
            " true_positive (or false_positive) says what one was.",
        )
        return 0
    console.print(_table(scores))
    if config is None:
        suggested = "\n".join(lines_of(scores, excepted))
    else:
        text = config.read_text(encoding="utf-8")
        suggested = difference_of(text, config.name, scores, excepted)
    if suggested:
        note(console, suggested)
        note(terminal(stderr=True), "Try it on a log before you apply it: vedette backtest.")
    else:
        note(console, "Nothing to suggest.")
    return 0


def _table(scores: Sequence[Scored]) -> Table:
    table = Table(
        title="What people decided, by detector",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        header_style="bold",
    )
    table.add_column("detector")
    for head in ("attacks", "false alarms", "precision", "limit", "proposed", "spares", "loses"):
        table.add_column(head, justify="right")
    for each in scores:
        proposed = each.proposed is not None
        table.add_row(
            Text(printable(each.detector)),
            f"{len(each.attacks):,}",
            f"{len(each.harmless):,}",
            share(each.precision),
            "-" if each.limit is None else f"{each.limit:,}",
            f"{each.proposed:,}" if proposed else "-",
            f"{len(each.spared):,}" if proposed else "-",
            f"{len(each.lost):,}" if proposed else "-",
        )
    return table


def _plain(scores: Sequence[Scored], excepted: Sequence[Excepted]) -> dict[str, Any]:
    return {
        "detectors": [
            {
                "detector": each.detector,
                "attacks": [incident.id for incident in each.attacks],
                "false_alarms": [incident.id for incident in each.harmless],
                "precision": each.precision,
                "limit": each.limit,
                "proposed": each.proposed,
                "spared": [incident.id for incident in each.spared],
                "lost": [incident.id for incident in each.lost],
                "lost_undecided": [incident.id for incident in each.unknown],
            }
            for each in scores
        ],
        "exceptions": [
            {
                "detector": one.detector,
                one.key: one.value,
                "until": iso(one.until),
                "why": one.why,
                "incidents": [incident.id for incident in one.incidents],
            }
            for one in excepted
        ],
        "settings": "\n".join(lines_of(scores, excepted)),
    }
