"""vedette incidents export: incidents for other programs, to standard output or a private file."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Engine

from alerts.actions import why_missing
from alerts.database.times import utc_now
from alerts.exports.written import FORMATS, exported
from alerts.lists.details import IncidentDetail
from alerts.lists.queries import get_incident
from ingest.masking import printable
from vedette import __version__
from vedette.commands.incidents import listed
from vedette.failures import FAILED, WRONG_USE, reports_failures
from vedette.incident_query import wanted_of
from vedette.screen import note, terminal
from vedette.settings import load_settings
from vedette.stores import stored_incidents

#: Who may read a file that is written.
_PRIVATE = 0o600


@reports_failures
def export(
    numbers: Sequence[int],
    config: Path | None,
    database: str | None,
    given: Mapping[str, Any],
    *,
    limit: int,
    export_format: str,
    out: Path | None,
) -> int:
    """Write incidents: those of the numbers, or those that the options in `given` name."""
    screen = terminal(stderr=True)
    chosen = next((each for each in FORMATS if each == export_format), None)
    if chosen is None:
        note(screen, f"vedette: --format: must be one of {', '.join(FORMATS)}")
        return WRONG_USE
    if numbers and any(given.values()):
        note(screen, "vedette: name incidents by their numbers or by options, not by both")
        return WRONG_USE
    try:
        wanted = wanted_of(given, utc_now())
    except ValueError as error:
        note(screen, f"vedette: {error}")
        return WRONG_USE
    engine, name = stored_incidents(load_settings(config), database, configured=config is not None)
    try:
        more = False
        if not numbers:
            found, more = listed(engine, wanted, limit)
            numbers = [incident.id for incident in found]
        missing = [each for each in numbers if get_incident(engine, each) is None]
        if missing:
            why = "; ".join(why_missing(engine, each) for each in missing)
            note(screen, f"vedette: {name}: {why}")
            return FAILED
        details = _details(engine, numbers)
        with _Output(out) as stream:
            for text in exported(details, chosen, __version__):
                stream.write(text)
    finally:
        engine.dispose()
    if out is not None:
        many = "incident" if len(numbers) == 1 else "incidents"
        note(screen, f"{len(numbers):,} {many} written to {printable(str(out))}.")
    if more:
        note(screen, f"More than {limit} match; --limit writes more.")
    return 0


def _details(engine: Engine, numbers: Sequence[int]) -> Iterator[IncidentDetail]:
    """Read one after the other; what is deleted meanwhile is left out."""
    for number in numbers:
        detail = get_incident(engine, number)
        if detail is not None:
            yield detail


class _Output:
    """Standard output, or a file that appears only when all is in it, readable by its owner."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stream: TextIO = sys.stdout

    def __enter__(self) -> TextIO:
        """Open it; lines end as the format says, on every system."""
        if self._path is None:
            return self._stream
        self._part = self._path.with_name(f"{self._path.name}.part")
        self._part.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._stream = os.fdopen(
            os.open(self._part, flags, _PRIVATE), "w", encoding="utf-8", newline=""
        )
        return self._stream

    def __exit__(self, failed: object, *_: object) -> None:
        """Put the file in its place, or leave nothing."""
        if self._path is None:
            return
        self._stream.close()
        if failed is None:
            self._part.replace(self._path)
        else:
            self._part.unlink()
