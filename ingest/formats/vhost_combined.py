"""The combined log format with the virtual host, and perhaps its port, in front."""

from typing import Final

import polars as pl

from ingest.formats import combined
from ingest.formats.parsed import Format
from ingest.lines import Lines


def claims(lines: Lines, parsed: pl.DataFrame) -> int:
    """Count the combined lines that begin with a host and then the client's address."""
    hosted = (parsed["host"].is_not_null() & parsed["scheme"].is_null()).to_numpy()
    return combined.claims(lines, parsed.filter(pl.Series(hosted, dtype=pl.Boolean)))


FORMAT: Final = Format(
    "vhost_combined", "Apache vhost_combined", combined.parse, claims, family="clf", general=True
)
