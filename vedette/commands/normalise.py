"""vedette normalise: what the detectors would see, as NDJSON."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

from ingest.logs import InputProblem
from ingest.masking import printable, printable_json
from ingest.normalised import normalised
from vedette.commands.scan import standard_input
from vedette.failures import PARTLY_READ, reports_failures
from vedette.memory import return_large_blocks
from vedette.one_run import secret_for_files
from vedette.screen import note, terminal
from vedette.settings import load_settings
from vedette.sources import enrichment_of, sources_for

_ISO_8601: Final = "%Y-%m-%dT%H:%M:%S%.6fZ"


@reports_failures
def print_events(files: Sequence[str], config: Path | None, *, log_format: str) -> int:
    """Print a JSON object a line, masked; a line that is no event has its `reason`."""
    return_large_blocks()
    settings = load_settings(config)
    sources = sources_for(files, settings, log_format)
    enrichment = enrichment_of(settings, secret_for_files())
    problems: list[InputProblem] = []
    for frame in normalised(
        sources, enrichment=enrichment, stdin=standard_input(), problems=problems
    ):
        iso = pl.col("timestamp").dt.strftime(_ISO_8601)
        text = frame.with_columns(iso).write_ndjson()
        sys.stdout.write(printable_json(text))
        sys.stdout.flush()
    for problem in problems:
        note(terminal(stderr=True), f"vedette: {printable(str(problem))}")
    return PARTLY_READ if problems else 0
