"""vedette scan: analyse log files once."""

import json
import sys
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from detectors.detection import Detection
from ingest.masking import printable
from ingest.quarantine import REASONS
from ingest.reader import LogReader
from ingest.sources import FileSource
from vedette.detecting import detection_of
from vedette.failures import PARTLY_READ, reports_failures
from vedette.memory import return_large_blocks
from vedette.one_run import secret_for_files
from vedette.prefetch import Prefetch
from vedette.rules import catalogue_of
from vedette.scan import scan
from vedette.screen import incident_table, note, options, terminal
from vedette.settings import Settings, load_settings
from vedette.source_log import formats_found
from vedette.sources import enrichment_of, sources_for

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from alerts.incidents.views import IncidentView
    from alerts.storage.store import Store

#: Batches that are read before the detectors take them.
READ_AHEAD: Final = 1


def standard_input() -> BinaryIO:
    """Return standard input as bytes; empty where the program has none."""
    return BytesIO() if sys.stdin is None else sys.stdin.buffer


@reports_failures
def run_scan(
    files: Sequence[str],
    config: Path | None,
    *,
    log_format: str,
    database: str | None,
    as_json: bool,
    learned: bool = False,
) -> int:
    """Scan the files, print incidents to stdout and all else to stderr; return the status.

    With `learned` detectors that learn go on from what the service's database has of it.
    """
    return_large_blocks()
    settings = load_settings(config)
    secret = secret_for_files()
    enrichment = enrichment_of(settings, secret)
    sources = sources_for(files, settings, log_format)
    reader = LogReader(sources, enrichment=enrichment, stdin=standard_input())
    screen = terminal(stderr=True)
    began = time.monotonic()
    opened: list[tuple[Engine, str]] = []

    def open_store() -> "Store":
        from alerts.storage.store import Store
        from alerts.storage.tombstones import Tombstones
        from vedette.stores import new_scan_database

        opened.append(new_scan_database(database))
        return Store(opened[0][0], tombstones=Tombstones(secret))

    # Reading begins before the rules are compiled, which takes as long as many lines.
    with Prefetch(reader.batches(), READ_AHEAD) as batches, progress_of_reading(screen) as progress:
        detection = detection_of(settings, catalogue_of(settings))
        detection.under(enrichment.fingerprint)
        if learned:
            take_up(detection, settings, configured=config is not None)
        total = reader.progress.bytes_total
        task = progress.add_task("Scanning", total=total, rate="")

        def show() -> None:
            rate = reader.tally.lines / max(time.monotonic() - began, 1e-3)
            done = reader.progress.bytes_read
            progress.update(task, completed=done, rate=f"{rate:,.0f} lines/s")

        scan(reader, detection, open_store, show, batches=batches)
    ((engine, name),) = opened
    _account(screen, reader, time.monotonic() - began, sources, name)
    incidents = stored(engine)
    if as_json:
        for incident in incidents:
            sys.stdout.write(json.dumps(incident.to_dict()) + "\n")
    else:
        _print(incidents, name)
    engine.dispose()
    return PARTLY_READ if reader.problems else 0


def take_up(detection: Detection, settings: Settings, *, configured: bool) -> None:
    """Have detectors that learn go on from what the service's database has; say what was lost."""
    from alerts.storage.store import Store
    from vedette.baselines import stored_state
    from vedette.stores import kept_database

    engine, _ = kept_database(settings, None, configured=configured)
    state, remarks = stored_state(Store(engine), detection.learned)
    engine.dispose()
    anew = detection.learned.restore(state)
    if anew:
        remarks.append(f"nothing that can be used is learned of: {', '.join(anew)}")
    for remark in remarks:
        note(terminal(stderr=True), f"vedette: {printable(remark)}")


def stored(engine: "Engine") -> "list[IncidentView]":
    """Return every incident that alerts, the oldest first."""
    from alerts.lists.queries import PAGE_LIMIT, IncidentFilter, list_incidents

    found: list[IncidentView] = []
    cursor: str | None = None
    while True:
        page = list_incidents(engine, IncidentFilter(), cursor, PAGE_LIMIT)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return sorted(found, key=lambda incident: (incident.started_at, incident.id))


def progress_of_reading(screen: Console) -> Progress:
    """Return a bar that is shown on a terminal only, with a field `rate`."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )


def _account(
    screen: Console, reader: LogReader, seconds: float, sources: Sequence[FileSource], name: str
) -> None:
    """Say in which formats, what became of every line, and which inputs could not be read."""
    rate = reader.tally.lines / max(seconds, 1e-3)
    note(
        screen,
        f"{reader.tally.lines:,} lines in {seconds:.1f} s ({rate:,.0f} lines/s): "
        f"{reader.tally.events:,} events, {reader.tally.quarantine.total:,} set aside, "
        f"{reader.tally.ignored:,} ignored, {reader.tally.blank:,} blank.",
    )
    for log_format, words in formats_found(reader.detections, sources).items():
        note(screen, f"  format {log_format}: {words}")
    for reason, count in reader.tally.quarantine.by_reason().items():
        note(screen, f"  {count:,} x {reason}: {REASONS[reason]}")
    for row in list(reader.tally.quarantine)[:10]:
        places = ", ".join(str(position) for position in row.positions)
        note(screen, f"  {printable(row.partition)}: {row.reason} at byte {places}")
    if reader.tally.quarantine.total:
        note(screen, f"  What they look like: vedette quarantine list{options(database=name)}")
    for problem in reader.problems:
        note(screen, f"vedette: {printable(str(problem))}")


def _print(incidents: "Sequence[IncidentView]", name: str) -> None:
    console = terminal()
    if not incidents:
        note(console, "No incidents.")
        return
    console.print(incident_table(incidents))
    plural = "incident" if len(incidents) == 1 else "incidents"
    note(
        console,
        f"{len(incidents)} {plural}, stored in {name}.",
        f"Evidence and timeline: vedette incidents show {incidents[0].id}{options(database=name)}",
    )
