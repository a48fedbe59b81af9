"""vedette train: train the client model from old logs, and say what it has learned."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from detectors.learned.clients.features import FEATURES
from detectors.learned.clients.model import ClientModel, shown
from detectors.learned.clients.training import History, HistoryError, Trained, train
from ingest.masking import printable
from ingest.reader import LogReader
from vedette.client_model import save_model
from vedette.commands.scan import progress_of_reading, standard_input
from vedette.failures import FAILED, PARTLY_READ, reports_failures
from vedette.memory import return_large_blocks
from vedette.one_run import secret_for_files
from vedette.prefetch import Prefetch
from vedette.screen import note, terminal
from vedette.settings import load_settings
from vedette.sources import enrichment_of, sources_for

#: Clients that are shown.
SHOWN: Final = 12


@reports_failures
def train_from(
    files: Sequence[str],
    config: Path | None,
    *,
    log_format: str,
    without: Sequence[str],
    seed: int,
    as_json: bool,
) -> int:
    """Train from the files without some clients, save the model, print it; return the status."""
    return_large_blocks()
    settings = load_settings(config)
    enrichment = enrichment_of(settings, secret_for_files())
    sources = sources_for(files, settings, log_format)
    reader = LogReader(sources, enrichment=enrichment, stdin=standard_input())
    screen = terminal(stderr=True)
    history = _read(reader, frozenset(without))
    note(screen, f"{reader.tally.lines:,} lines, {reader.tally.events:,} events.")
    for problem in reader.problems:
        note(screen, f"vedette: {printable(str(problem))}")
    try:
        with screen.status("Training"):
            trained = train(
                history, false_alarms_per_day=settings.clients.false_alarms_per_day, seed=seed
            )
    except HistoryError as error:
        note(screen, f"vedette: {error}; the model from before, if there is one, stays")
        return PARTLY_READ if reader.problems else FAILED
    file = save_model(settings, trained.model)
    if as_json:
        sys.stdout.write(json.dumps(_plain(trained)) + "\n")
    else:
        _print(trained)
    for doubt in _doubts(trained.model):
        note(screen, f"vedette: {doubt}")
    note(
        screen,
        f"Saved as {printable(str(file))}. `vedette scan` takes it at once, `vedette run` when it"
        " starts next.",
    )
    return PARTLY_READ if reader.problems else 0


def _read(reader: LogReader, without: frozenset[str]) -> History:
    history = History(without)
    screen = terminal(stderr=True)
    with Prefetch(reader.batches(), 1) as batches, progress_of_reading(screen) as progress:
        task = progress.add_task("Reading", total=reader.progress.bytes_total, rate="")
        for batch in batches:
            history.add(batch.events, batch.watermark)
            progress.update(task, completed=reader.progress.bytes_read)
    history.finish()
    return history


def _print(trained: Trained) -> None:
    console = terminal()
    console.print(_usual(trained.model))
    if trained.odd.height:
        console.print(_odd(trained))
    about = trained.model.about
    console.print(
        f"Learned from {about.clients:,} clients in {about.days:.1f} days. Told are those of"
        f" {about.limit} points of 1,000 or more: {about.false_alarms_per_day:g} a day, if all are"
        " as they were.",
        highlight=False,
    )


def _usual(model: ClientModel) -> Table:
    table = Table(title="Within six hours", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("feature")
    table.add_column("nine of ten clients", justify="right")
    for name, meaning in FEATURES.items():
        usual = model.about.usual[name]
        table.add_row(meaning, f"{shown(usual.low)} to {shown(usual.high)}")
    return table


def _odd(trained: Trained) -> Table:
    table = Table(title="The oddest of the history", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("client", overflow="fold")
    table.add_column("points", justify="right")
    table.add_column("days", justify="right")
    table.add_column("why", overflow="fold")
    for row in trained.odd.head(SHOWN).iter_rows(named=True):
        client = Text(printable(row["client"]))
        why = Text(trained.model.note(row))
        table.add_row(client, str(row["points"]), str(row["days"]), why)
    table.caption = (
        "Look at them: who attacked in the history is learned as usual. Leave out with --without"
        " ADDRESS. Those of several days are regulars, and told only if they become odder."
    )
    table.caption_justify = "left"
    return table


def _doubts(model: ClientModel) -> list[str]:
    about = model.about
    if about.days * about.false_alarms_per_day >= 1:
        return []
    budget, days = about.false_alarms_per_day, 1 / about.false_alarms_per_day
    return [
        (
            f"the history is too short for {budget:g} false alarms a day: the limit is above all of"
            f" its clients; give logs of {days:.0f} days or more, better twice that"
        )
    ]


def _plain(trained: Trained) -> dict[str, Any]:
    told = trained.model.about.model_dump(mode="json", exclude={"regulars"})
    columns = ("client", "points", "days", *FEATURES)
    return {**told, "odd": trained.odd.select(columns).to_dicts()}
