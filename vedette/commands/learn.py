"""vedette learn: learn from old logs what is usual, and say how far is learned."""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text
from sqlalchemy.engine import Engine

from alerts.database.opening import open_database
from alerts.storage.store import Store
from detectors.gathering import gathered
from detectors.learned.families import Families, LearnedSums
from detectors.learned.family import Learning
from detectors.snapshot import pack_frames
from ingest.events import Batch
from ingest.masking import printable
from ingest.reader import LogReader
from ingest.times import iso
from vedette.baselines import stored_state
from vedette.commands.scan import progress_of_reading, standard_input
from vedette.detecting import families_of
from vedette.failures import FAILED, PARTLY_READ, WRONG_USE, reports_failures
from vedette.memory import return_large_blocks
from vedette.one_run import secret_for_files
from vedette.prefetch import Prefetch
from vedette.scan import at
from vedette.screen import note, terminal
from vedette.settings import Settings, load_settings
from vedette.sources import enrichment_of, sources_for
from vedette.stores import database_url, kept_database

#: Batches that are read before the detectors take them.
READ_AHEAD: Final = 1


@reports_failures
def learn_from(
    files: Sequence[str],
    config: Path | None,
    *,
    log_format: str,
    database: str | None,
    as_json: bool,
) -> int:
    """Learn from the files, keep what was learned, print how far it is; return the status."""
    return_large_blocks()
    settings = load_settings(config)
    screen = terminal(stderr=True)
    learned = families_of(settings)
    if not learned.by_name:
        note(screen, "vedette: no detector that learns is switched on; see [detectors.NAME]")
        return WRONG_USE
    began = time.monotonic()
    enrichment = enrichment_of(settings, secret_for_files())
    sources = sources_for(files, settings, log_format)
    reader = LogReader(sources, enrichment=enrichment, stdin=standard_input())
    _read(reader, learned, began)
    seconds = time.monotonic() - began
    rate = reader.tally.lines / max(seconds, 1e-3)
    note(screen, f"{reader.tally.lines:,} lines in {seconds:.1f} s ({rate:,.0f} lines/s).")
    for problem in reader.problems:
        note(screen, f"vedette: {printable(str(problem))}")
    if reader.newest is None:
        note(screen, "vedette: there is no event to learn from; what was learned before stays")
        return PARTLY_READ if reader.problems else FAILED
    with _opened(settings, database) as store:
        packed = {name: pack_frames(parts) for name, parts in learned.snapshot().items()}
        store.keep_baselines(packed, "learn", at(reader.newest))
    _print(learned.status(), as_json=as_json)
    newest = at(reader.newest)
    note(
        screen,
        f"Learned up to {newest:%Y-%m-%d %H:%M:%S} UTC. `vedette run` takes it up when it starts"
        " next, in place of what it has learned; `vedette scan --learned` goes on from it.",
    )
    return PARTLY_READ if reader.problems else 0


@reports_failures
def print_status(config: Path | None, *, database: str | None, as_json: bool) -> int:
    """Print how far is learned in the service's database; return the status."""
    settings = load_settings(config)
    engine, _ = kept_database(settings, database, configured=config is not None)
    learned = families_of(settings)
    state, remarks = stored_state(Store(engine), learned)
    engine.dispose()
    for remark in remarks:
        note(terminal(stderr=True), f"vedette: {printable(remark)}")
    learned.restore(state)
    _print(learned.status(), as_json=as_json)
    return 0


def _read(reader: LogReader, learned: Families, began: float) -> None:
    """Learn from all that there is to read."""
    screen = terminal(stderr=True)
    with (
        Prefetch(reader.batches(), READ_AHEAD) as batches,
        Prefetch(_summed(learned, batches), READ_AHEAD) as ahead,
        progress_of_reading(screen) as progress,
    ):
        task = progress.add_task("Learning", total=reader.progress.bytes_total, rate="")
        for sums, watermark in ahead:
            learned.judge(sums, watermark)
            rate = reader.tally.lines / max(time.monotonic() - began, 1e-3)
            done = reader.progress.bytes_read
            progress.update(task, completed=done, rate=f"{rate:,.0f} lines/s")


def _summed(
    learned: Families, batches: Iterable[Batch]
) -> Iterator[tuple[LearnedSums, int | None]]:
    for each in gathered(batches):
        sums = learned.aggregate(each.batch.events), each.batch.watermark
        del each
        yield sums


@contextmanager
def _opened(settings: Settings, database: str | None) -> Iterator[Store]:
    url = settings.store.url.get_secret_value() if database is None else database_url(database)
    engine: Engine = open_database(url)
    yield Store(engine)
    engine.dispose()


def _print(rows: Sequence[Learning], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            told = {**row._asdict(), "since": None if row.since is None else iso(row.since)}
            sys.stdout.write(json.dumps(told) + "\n")
        return
    console = terminal()
    if not rows:
        note(console, "Nothing is learned yet: no detector has seen what it watches.")
        return
    console.print(learning_table(rows))


def learning_table(rows: Iterable[Learning]) -> Table:
    """Return a row for each detector: what is learned well enough, and what is not yet."""
    table = Table(header_style="bold")
    table.add_column("detector", overflow="fold")
    table.add_column("watches", overflow="fold")
    table.add_column("learned", justify="right")
    table.add_column("still learning", overflow="fold")
    table.add_column("series", justify="right")
    table.add_column("since (UTC)", min_width=10)
    kinds: dict[tuple[str, str], list[Learning]] = {}
    for row in rows:
        kinds.setdefault((row.detector, row.entity_type), []).append(row)
    for (detector, kind), those in kinds.items():
        since = min((row.since for row in those if row.since is not None), default=None)
        table.add_row(
            Text(printable(detector)),
            Text(printable(those[0].entity if len(those) == 1 else f"{kind} ({len(those):,})")),
            f"{sum(row.days >= row.of_days for row in those):,}",
            _still(those),
            f"{sum(row.series for row in those):,}",
            "" if since is None else f"{since:%Y-%m-%d}",
        )
    return table


def _still(rows: Sequence[Learning]) -> Text:
    """Say how many are not learned well enough, and how far these are."""
    young = [row for row in rows if row.days < row.of_days]
    if not young:
        return Text("-", style="dim")
    days = sorted({row.days for row in young})
    ends = {days[0], days[-1]}
    between = " to ".join(str(day) for day in sorted(ends))
    return Text(f"{len(young):,}: day {between} of {young[0].of_days}", style="yellow")
