"""vedette evaluate: hold what the detectors find in a log against the truth about it."""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from alerts.database.opening import open_database
from alerts.storage.store import Store
from detectors.registry import active_detectors
from ingest.masking import printable
from ingest.pseudonyms import Pseudonyms
from ingest.reader import LogReader
from vedette.commands.scan import progress_of_reading, standard_input, stored, take_up
from vedette.detecting import detection_of
from vedette.evaluation.doubts import doubts
from vedette.evaluation.episodes import disguised, read_episodes
from vedette.evaluation.matching import Matched
from vedette.evaluation.report import report
from vedette.evaluation.tables import tables
from vedette.evaluation.trial import Book, Trial, run_trial
from vedette.failures import FAILED, PARTLY_READ, reports_failures
from vedette.folders import sqlite_url
from vedette.memory import return_large_blocks
from vedette.one_run import secret_for_files
from vedette.rules import catalogue_of
from vedette.screen import note, terminal
from vedette.settings import load_settings
from vedette.sources import enrichment_of, sources_for


@reports_failures
def run_evaluation(
    files: Sequence[str],
    truth: Path,
    config: Path | None,
    *,
    log_format: str,
    picture: Path | None,
    as_json: bool,
    learned: bool = False,
) -> int:
    """Scan the files, print how well the detectors did to stdout; return the status."""
    if picture is not None:
        from vedette.evaluation.picture import check_picture

        check_picture(picture)
    return_large_blocks()
    settings = load_settings(config)
    secret = secret_for_files()
    episodes = disguised(
        read_episodes(truth), Pseudonyms(secret), frozenset(settings.privacy.pseudonymise)
    )
    enrichment = enrichment_of(settings, secret)
    catalogue = catalogue_of(settings)
    sources = sources_for(files, settings, log_format)
    reader = LogReader(sources, enrichment=enrichment, stdin=standard_input())
    detection = detection_of(settings, catalogue, prompt=False)
    if learned:
        take_up(detection, settings, configured=config is not None)
    trial = Trial(detection, episodes)
    matched = _tried(reader, trial)
    found = report(matched)
    screen = terminal(stderr=True)
    rows = "row" if len(episodes) == 1 else "rows"
    note(screen, f"{reader.tally.lines:,} lines, {len(episodes):,} {rows} of truth.")
    for problem in reader.problems:
        note(screen, f"vedette: {printable(str(problem))}")
    if not trial.events:
        note(screen, "vedette: there is no event to evaluate")
        return PARTLY_READ if reader.problems else FAILED
    active = {rule.name for rule in catalogue.rules} | active_detectors(settings.detectors).keys()
    for doubt in doubts(episodes, active, (trial.oldest, trial.newest)):
        note(screen, f"vedette: {printable(doubt)}")
    if as_json:
        sys.stdout.write(json.dumps(found.to_dict()) + "\n")
    else:
        console = terminal()
        for table in tables(found):
            console.print(table)
    if picture is not None:
        from vedette.evaluation.picture import draw

        draw(found, matched, picture)
        note(screen, f"Picture: {printable(str(picture))}")
    return PARTLY_READ if reader.problems else 0


def _tried(reader: LogReader, trial: Trial) -> Matched:
    """Run the trial; its incidents go to a database of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vedette-evaluate-") as folder:
        engine = open_database(sqlite_url(Path(folder) / "incidents.db"))
        try:
            book = Book(Store(engine), lambda: stored(engine))
            with progress_of_reading(terminal(stderr=True)) as progress:
                total = reader.progress.bytes_total
                task = progress.add_task("Evaluating", total=total, rate="")

                def show() -> None:
                    progress.update(task, completed=reader.progress.bytes_read)

                return run_trial(trial, reader.batches(), book, show)
        finally:
            engine.dispose()
