"""The Common Log Format: the combined one without referrer and user agent."""

from typing import Final

import polars as pl

from ingest.formats import combined
from ingest.formats.parsed import Format
from ingest.lines import Lines


def claims(lines: Lines, parsed: pl.DataFrame) -> int:
    """Count the lines with a time, but without referrer and user agent."""
    timed = parsed.height - parsed["timestamp"].null_count()
    return timed - combined.claims(lines, parsed)


FORMAT: Final = Format(
    "common", "Apache common (CLF)", combined.parse, claims, family="clf", general=True
)
